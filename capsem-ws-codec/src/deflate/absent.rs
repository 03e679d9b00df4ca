//! What stands in for the inflater in a build without the feature `deflate`: none can be made.

use crate::{Error, assembly::Assembly, extension::Context};

#[derive(Debug)]
pub(crate) enum Inflater {}

impl Inflater {
    pub(crate) fn new(_: Context) -> Option<Self> {
        None
    }

    pub(crate) fn push(&mut self, _: &[u8], _: &mut Assembly) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn release(&mut self) {
        match *self {}
    }

    pub(crate) fn end(&mut self) -> Result<(), Error> {
        match *self {}
    }
}
