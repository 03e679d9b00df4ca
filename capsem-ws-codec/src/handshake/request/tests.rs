//! Tables of request.
