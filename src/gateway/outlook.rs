//! When a call could succeed that this one gave up, told without taking an account.

use super::Inner;
use super::expect;
use super::router::Plan;
use crate::accounts::{NotBefore, Wanted};
use crate::wire::Call;

impl Inner {
    /// What another call of the same kind would find now; nothing stands in its way where any account could take it.
    pub(super) fn outlook(&self, call: &Call, plan: &Plan) -> NotBefore {
        let need = expect::need(call);
        let mut nearest = NotBefore::default();
        for route in &plan.routes {
            let wanted = Wanted { provider: &route.provider.id, model: &route.model, need, ..Wanted::default() };
            match self.pool.outlook(wanted) {
                None => return NotBefore::default(),
                Some(not) => nearest.join(not),
            }
        }
        nearest
    }
}
