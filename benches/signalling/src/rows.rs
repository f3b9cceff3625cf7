//! The rows of the table: what is measured, one module each.

mod actions;
mod fanout;
mod hanging;
mod memory;
mod restart;
mod sign_in;
mod thread;

use crate::figures::Figure;
use crate::world::Template;

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    Hanging,
    Actions,
    Fanout,
    Memory,
    SignIn,
    Thread,
    Restart,
}

impl Row {
    pub(crate) const ALL: [Self; 7] = [
        Self::Hanging,
        Self::Actions,
        Self::Fanout,
        Self::Memory,
        Self::SignIn,
        Self::Thread,
        Self::Restart,
    ];

    /// As `--only` knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hanging => "hanging",
            Self::Actions => "actions",
            Self::Fanout => "fanout",
            Self::Memory => "memory",
            Self::SignIn => "sign-in",
            Self::Thread => "thread",
            Self::Restart => "restart",
        }
    }

    /// Measures once, on a server of its own.
    pub(crate) async fn measure(self, template: &Template) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Hanging => Box::pin(hanging::measure(template)).await,
            Self::Actions => Box::pin(actions::measure(template)).await,
            Self::Fanout => Box::pin(fanout::measure(template)).await,
            Self::Memory => Box::pin(memory::measure(template)).await,
            Self::SignIn => Box::pin(sign_in::measure(template)).await,
            Self::Thread => Box::pin(thread::measure(template)).await,
            Self::Restart => Box::pin(restart::measure(template)).await,
        }
    }

    /// Sets the limits that follow from what another program reached: `theirs`, or else `baseline`
    /// actions a second.
    ///
    /// # Errors
    /// The figures as they are, when the row needs something to compare with and has nothing.
    pub(crate) fn judged(
        self,
        figures: Vec<Figure>,
        theirs: &[Figure],
        baseline: Option<f64>,
    ) -> Result<Vec<Figure>, Vec<Figure>> {
        match self {
            Self::Actions => match theirs.first().map(|figure| figure.value).or(baseline) {
                Some(baseline) => Ok(actions::judged(figures, baseline)),
                None => Err(figures),
            },
            Self::Hanging
            | Self::Fanout
            | Self::Memory
            | Self::SignIn
            | Self::Thread
            | Self::Restart => Ok(figures),
        }
    }
}
