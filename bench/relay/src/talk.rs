//! A conversation: both ends of a socket say a script's turns, and hear each other's.

use anyhow::Result;
use tokio::io::AsyncWriteExt as _;

use crate::ends::{Pair, Socket};
use crate::script::Script;

/// Says `turns` without waiting for answers, so that the proxy always has something to do.
pub async fn pipelined(pair: &mut Pair, script: &Script, turns: usize) -> Result<()> {
    let (hears, says) = pair.client.halves();
    let ask = async {
        for turn in 0..turns {
            says.write_all(script.ask(turn)).await?;
        }
        Ok(says.flush().await?)
    };
    let hear = async {
        for turn in 0..turns {
            hears.hear(&script.turn(turn).answer).await?;
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
