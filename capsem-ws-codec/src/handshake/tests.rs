//! Tables of handshake.
