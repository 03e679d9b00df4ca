//! Target `relay`: a tunnel between two peers in memory, driven by a script, keeps its promises.
//!
//! The script is the input: what each peer sends, how it ends, how much it takes, what the host
//! says of each message, how time passes. The clock stands still but for that.

mod course;
mod heard;
mod host;
mod peer;
mod promises;
mod script;

use self::{
    promises::Said,
    script::{Script, index},
};
use capsem_ws_codec::{Role, fuzzing::Cut};

/// Bytes of a side that are also read one at a time.
const FEW: usize = 1024;

/// # Panics
///
/// If a promise of [`tunnel`](crate::ws::tunnel) does not hold.
pub fn relay(data: &[u8]) {
    let Some(script) = Script::read(data) else { return };
    let (Some(client), Some(server)) =
        (Said::of(&script, Role::Client), Said::of(&script, Role::Server))
    else {
        return;
    };
    let said = [client, server];
    let whole = course::run(&script, |_| Cut::Every(usize::MAX).sizes());
    promises::check(&script, &whole, &said);
    let cut = |side| match index(side) as u64 + u64::from(script.cut) {
        seed if said.iter().any(|said| said.sent > FEW) => Cut::Random { seed }.sizes(),
        seed if seed % 2 == 0 => Cut::Every(1).sizes(),
        seed => Cut::Random { seed }.sizes(),
    };
    let pieces = course::run(&script, cut);
    promises::check(&script, &pieces, &said);
}
