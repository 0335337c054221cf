//! The names of members in LiteLLM's price map, which pack a whole row's key into suffixes.

use super::price_card::DEFAULT_TIER;

/// What the name of a member says: the class of tokens, how long a cache is kept, the context and the service tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) hours: u32,
    pub(super) over: u64,
    pub(super) tier: String,
}

/// The members that price a token, and the bucket they are for.
const CLASSES: [(&str, &str); 12] = [
    ("input_cost_per_token", "input"),
    ("output_cost_per_token", "output"),
    ("cache_read_input_token_cost", "cache_read"),
    ("input_cost_per_token_cache_hit", "cache_read"),
    ("cache_read_input_audio_token_cost", "cache_read_audio"),
    ("cache_creation_input_token_cost", "cache_write"),
    ("output_cost_per_reasoning_token", "reasoning"),
    ("input_cost_per_audio_token", "audio_in"),
    ("input_cost_per_image_token", "image_in"),
    ("output_cost_per_audio_token", "audio_out"),
    ("output_cost_per_image_token", "image_out"),
    ("cache_read_input_token_cost_per_audio_token", "cache_read_audio"),
];

/// Suffixes of service tiers, and the tiers as answers name them.
const TIERS: [(&str, &str); 5] = [
    ("_batches", "batch"),
    ("_batch", "batch"),
    ("_flex", "flex"),
    ("_priority", "priority"),
    ("_ultrafast", "ultrafast"),
];

impl Part {
    /// Takes suffixes off the end, whatever their order, until a known class is left.
    pub(super) fn read(name: &str) -> Option<Self> {
        let mut part = Self { class: "", hours: 0, over: 0, tier: DEFAULT_TIER.to_owned() };
        let mut rest = name;
        loop {
            if let Some(&(_, class)) = CLASSES.iter().find(|(known, _)| *known == rest) {
                part.class = class;
                return Some(part);
            }
            if let Some((head, tier)) = TIERS.iter().find_map(|(suffix, tier)| Some((rest.strip_suffix(suffix)?, tier)))
            {
                (rest, part.tier) = (head, (*tier).to_owned());
                continue;
            }
            let (head, last) = rest.rsplit_once("_above_")?;
            match (last.strip_suffix("hr"), last.strip_suffix("k_tokens")) {
                (Some(hours), _) => part.hours = hours.parse().ok()?,
                (_, Some(thousands)) => part.over = thousands.parse::<u64>().ok()?.checked_mul(1000)?,
                _ => return None,
            }
            rest = head;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(&'static str, u32, u64, String)> {
        Part::read(name).map(|part| (part.class, part.hours, part.over, part.tier))
    }

    #[test]
    fn suffixes_are_read_in_any_order_and_number() {
        let tier = |tier: &str| tier.to_owned();
        assert_eq!(read("input_cost_per_token"), Some(("input", 0, 0, tier("default"))));
        assert_eq!(
            read("cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority"),
            Some(("cache_write", 12, 272_000, tier("priority")))
        );
        assert_eq!(read("output_cost_per_token_flex_above_272k_tokens"), Some(("output", 0, 272_000, tier("flex"))));
        assert_eq!(read("input_cost_per_token_batches"), Some(("input", 0, 0, tier("batch"))));
        assert_eq!(read("cache_creation_input_token_cost_above_1hr"), Some(("cache_write", 1, 0, tier("default"))));
    }

    #[test]
    fn other_members_are_no_token_prices() {
        for name in ["input_cost_per_pixel", "input_cost_per_token_above_x_tokens", "output_cost_per_image", "mode"] {
            assert_eq!(read(name), None, "{name}");
        }
        assert_eq!(read("input_cost_per_token_above_18446744073709551615k_tokens"), None);
    }
}
