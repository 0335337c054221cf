//! Which of two price files wins, field by field: what the upper one says holds, the rest is inherited.

use super::price_file::{Fees, ModelPrices, PriceFile};

impl PriceFile {
    /// This file over another one of the same provider; models are laid over each other by the table.
    pub(super) fn over(self, mut under: Self) -> Self {
        under.tier_names.extend(self.tier_names);
        under.schedules.extend(self.schedules);
        under.known_as.extend(self.known_as);
        Self {
            provider: self.provider,
            known_as: under.known_as,
            usage: self.usage.or(under.usage),
            usage_also_at: self.usage_also_at.or(under.usage_also_at),
            reported_cost: self.reported_cost.or(under.reported_cost),
            tier_names: under.tier_names,
            patterns: if self.patterns.is_empty() { under.patterns } else { self.patterns },
            cmp: self.cmp.or(under.cmp),
            source: if self.source.is_empty() { under.source } else { self.source },
            checked: self.checked.or(under.checked),
            schedules: under.schedules,
            models: Vec::new(),
        }
    }
}

impl ModelPrices {
    /// This model over the same one of another file, whose rows stay.
    pub(super) fn over(self, mut under: Self) -> Self {
        under.rates.extend(self.rates);
        under.regions.extend(self.regions);
        under.speeds.extend(self.speeds);
        Self {
            id: self.id,
            patterns: self.patterns.filter(|patterns| !patterns.is_empty()).or(under.patterns),
            context: self.context.or(under.context),
            max_output: self.max_output.or(under.max_output),
            retires: self.retires.or(under.retires),
            note: if self.note.is_empty() { under.note } else { self.note },
            source: self.source.or(under.source),
            checked: self.checked.or(under.checked),
            keeps_rows: true,
            adds_to_answer: self.adds_to_answer || under.adds_to_answer,
            regions: under.regions,
            speeds: under.speeds,
            fees: Fees {
                per_request: self.fees.per_request.or(under.fees.per_request),
                web_search_per_1k: self.fees.web_search_per_1k.or(under.fees.web_search_per_1k),
                maps_per_1k: self.fees.maps_per_1k.or(under.fees.maps_per_1k),
            },
            rates: under.rates,
        }
    }
}
