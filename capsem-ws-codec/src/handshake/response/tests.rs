//! Tables of response.
