//! The statuses a refusal is answered with, and what `Debug` keeps to itself.

use super::*;

#[test]
fn statuses() {
    assert_eq!(HandshakeError::WsVersion.status(), 426);
    assert_eq!(HandshakeError::Key.status(), 400);
    assert_eq!(HandshakeError::Body.status(), 400);
    assert_eq!(HandshakeError::Accept.status(), 502);
}

#[test]
fn a_client_reads_its_own_request() {
    let mut request = http::Request::get("/").body(()).expect("well formed");
    let secret = "openai-insecure-api-key.sk-secret";
    *request.headers_mut() =
        request_headers([9; 16], &["realtime", secret, "not a token"], Some("permessage-deflate"));
    let offer = read_request(&request.into_parts().0).expect("well formed").expect("an upgrade");
    assert_eq!(offer.subprotocols(), ["realtime", secret]);
    assert!(!format!("{offer:?}").contains("sk-secret"));

    let accepted = Accepted { subprotocol: Some("realtime".to_owned()), ..offer.accept() };
    let response = response(&offer, &accepted).into_parts().0;
    assert_eq!(check_response(&offer, &response), Ok(accepted));
}
