//! A conversation: both ends of a socket say a script's turns, and hear each other's.

use anyhow::Result;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::ends::{Pair, Socket};
use crate::script::Script;

/// Turns a client may be ahead of its answers: enough that the proxy always has something to do, and
/// no more than a service takes at once.
const AHEAD: usize = 4;

/// Says `turns`, some of them before the ones before were answered.
pub async fn pipelined(pair: &mut Pair, script: &Script, turns: usize) -> Result<()> {
    let ahead = Semaphore::new(AHEAD);
    let (hears, says) = pair.client.halves();
    let ask = async {
        for turn in 0..turns {
            ahead.acquire().await?.forget();
            says.write_all(script.ask(turn)).await?;
            says.flush().await?;
        }
        Ok(())
    };
    let hear = async {
        for turn in 0..turns {
            hears.hear(&script.turn(turn).answer).await?;
            ahead.add_permits(1);
        }
        Ok(())
    };
    tokio::try_join!(ask, hear, serve(&mut pair.server, script, turns)).map(drop)
}

/// Says `turns`, each once the one before was answered.
pub async fn in_turn(client: &mut Socket, script: &Script, turns: usize) -> Result<()> {
    for turn in 0..turns {
        client.say(script.ask(turn)).await?;
        client.hears.hear(&script.turn(turn).answer).await?;
    }
    Ok(())
}

/// Hears the client's part of `turns` and says the server's.
pub async fn serve(server: &mut Socket, script: &Script, turns: usize) -> Result<()> {
    for turn in 0..turns {
        server.hears.hear(&script.turn(turn).ask).await?;
        let answer = script.answer(turn);
        if !answer.is_empty() {
            server.say(answer).await?;
        }
    }
    Ok(())
}
