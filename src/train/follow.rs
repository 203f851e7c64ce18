//! What a member of a team does that does not lead.

use super::team::Order;
use super::{Run, TrainError};
use crate::model::TeamError;

impl Run {
    /// Does what the one that leads has ordered. Nothing is wrong where it gives that up for another order: nothing has
    /// changed then, and the next order comes. After an error this member is of no use to the others, and leaves.
    pub fn follow(&mut self, order: &[u32]) -> Result<(), TrainError> {
        let steps = self.steps();
        let done = match Order::from_words(order) {
            Some(Order::Step(behind)) if behind == steps && steps < self.recipe().steps => self.step().map(drop),
            Some(Order::Evaluate(windows)) => {
                self.held_out_loss(usize::try_from(windows).unwrap_or(usize::MAX)).map(drop)
            }
            Some(Order::Mean) => self.trainer.mean().map(drop),
            Some(Order::Remembered) => self.trainer.remembered(|_| Ok(())),
            Some(Order::Finite) => self.is_finite().map(drop),
            order => Err(TrainError::Order { ordered: format!("{order:?}"), steps }),
        };
        match done {
            // The one that leads knows that, too.
            Err(TrainError::Diverged { .. } | TrainError::Team(TeamError::GivenUp)) => Ok(()),
            done => done,
        }
    }
}
