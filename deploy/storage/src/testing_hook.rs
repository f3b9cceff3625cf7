//! Where a test may let the process die: before and after each statement that changes something.
//!
//! Without the feature `testing` there is nothing here to die of.

#[cfg(not(feature = "testing"))]
pub(crate) fn statement() {}

#[cfg(feature = "testing")]
pub(crate) use crate::testing::deaths::statement;
