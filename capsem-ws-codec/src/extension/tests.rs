//! Tables of extension.
