//! What the members of a team do together.

/// What the one that leads has all do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take a step, behind so many.
    Step(u64),
    /// Measure the loss of the mean weights on at most so many windows of what is held out.
    Evaluate(u64),
    /// Hand over the mean weights.
    Mean,
    /// Hand over the mean weights and what the optimizers remember.
    Remembered,
    /// Say whether every weight is a number.
    Finite,
}

impl Order {
    /// The order as [`Exchange::announce`](crate::model::Exchange::announce) takes it.
    pub fn to_words(self) -> [u32; 3] {
        let (kind, number) = match self {
            Order::Step(steps) => (0, steps),
            Order::Evaluate(windows) => (1, windows),
            Order::Mean => (2, 0),
            Order::Remembered => (3, 0),
            Order::Finite => (4, 0),
        };
        [kind, number as u32, (number >> 32) as u32]
    }

    /// The order of these words; `None` if they are of none.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let &[kind, low, high] = words else { return None };
        let number = u64::from(high) << 32 | u64::from(low);
        match kind {
            0 => Some(Order::Step(number)),
            1 => Some(Order::Evaluate(number)),
            2 => Some(Order::Mean),
            3 => Some(Order::Remembered),
            4 => Some(Order::Finite),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let orders =
            [Order::Step(3 << 40 | 7), Order::Evaluate(u64::MAX), Order::Mean, Order::Remembered, Order::Finite];
        for order in orders {
            assert_eq!(Order::from_words(&order.to_words()), Some(order));
        }
        assert_eq!(Order::from_words(&[5, 0, 0]), None);
        assert_eq!(Order::from_words(&[]), None);
    }
}
