//! The price table: shipped files with the user's on top, asked by provider, model and moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::price::{Basis, Rates};
use super::price_file::PriceFile;
use super::price_model::{Billing, Model};
use super::price_schedule::Schedule;
use super::price_shipped;
use crate::kit::Usage;
use crate::kit::usage::Metering;

/// Every price that is known.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    sheets: BTreeMap<String, Sheet>,
}

/// One provider's prices, checked.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The file, its models taken out.
    pub file: PriceFile,
    /// Its models.
    pub models: Vec<Model>,
    /// Its schedules by name.
    pub schedules: BTreeMap<String, Arc<Schedule>>,
    /// How its answers are metered.
    pub metering: Metering,
}

/// What is wrong with a price file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {}{message}", .model.as_ref().map(|model| format!("model {model}: ")).unwrap_or_default())]
pub struct PriceError {
    /// The file.
    pub origin: String,
    /// The model, where it is one's.
    pub model: Option<String>,
    /// One sentence.
    pub message: String,
}

/// What is to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The model that was asked of it.
    pub asked: &'a str,
    /// The model that its answer names: aliases, routers and fallbacks are priced by what answered.
    pub answered: Option<&'a str>,
    /// When and how it was billed.
    pub billing: Billing<'a>,
}

impl Prices {
    /// The shipped files alone.
    pub fn shipped() -> Result<Self, PriceError> {
        Self::load(&[])
    }

    /// The shipped files, and on top of them the user's, each an origin for messages and its text. A model of the same
    /// id replaces the shipped one, or adds its rows where it says `keeps_rows`.
    ///
    /// # Errors
    /// The first file that cannot be used; nothing is priced by half a table.
    pub fn load(overrides: &[(&str, &str)]) -> Result<Self, PriceError> {
        let shipped = price_shipped::SHIPPED.iter().map(|(_, text)| ("shipped", *text));
        Self::from_texts(shipped.chain(overrides.iter().copied()))
    }

    /// A table from these files alone, later ones over earlier ones.
    ///
    /// # Errors
    /// As [`Prices::load`].
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PriceError> {
        let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
        for (origin, text) in texts {
            let wrong = |message: String| PriceError { origin: origin.to_owned(), model: None, message };
            let file: PriceFile = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
            if file.provider.is_empty() {
                return Err(wrong("it names no provider; add provider = \"…\"".to_owned()));
            }
            drafts.entry(file.provider.clone()).or_default().take(file, origin);
        }
        let sheets = drafts.into_iter().map(|(id, draft)| Ok((id, draft.sheet()?))).collect::<Result<_, _>>()?;
        Ok(Self { sheets })
    }

    /// Every provider's sheet, by its id.
    pub const fn sheets(&self) -> &BTreeMap<String, Sheet> {
        &self.sheets
    }

    /// How a provider's answers are metered; unknown ones as most services do it.
    pub fn metering(&self, provider: &str) -> Metering {
        self.sheets.get(provider).map(|sheet| sheet.metering.clone()).unwrap_or_default()
    }

    /// A model by its id or another name it answers to.
    pub fn model(&self, provider: &str, name: &str) -> Option<&Model> {
        let models = &self.sheets.get(provider)?.models;
        let fitting = models.iter().filter_map(|model| Some((model.fits(name)?, model)));
        fitting.max_by_key(|&(fit, _)| fit).map(|(_, model)| model)
    }

    /// The rates for what a call consumed. `None` means unpriced, which is not the same as free.
    pub fn rates(&self, query: &Query<'_>, usage: &Usage) -> Option<Rates> {
        let sheet = self.sheets.get(query.provider)?;
        let mut billing = query.billing;
        billing.service_tier = billing.service_tier.map(|tier| sheet.tier(tier));
        let asked = self.model(query.provider, query.asked);
        let answered = query.answered.filter(|answered| !answered.is_empty());
        let (model, named) = match answered.map(|name| self.model(query.provider, name)) {
            Some(Some(model)) => (model, Basis::Listed),
            Some(None) => (asked?, Basis::Guessed),
            None => (asked?, Basis::Listed),
        };
        if model.prices.adds_to_answer {
            return None;
        }
        let input = usage.total_input();
        let mut rates = model.rates(&billing, input)?;
        if named == Basis::Guessed {
            rates.row = Basis::Guessed;
        }
        match asked.filter(|asked| asked.prices.adds_to_answer) {
            Some(router) => rates.plus(&router.rates(&billing, input)?),
            None => Some(rates),
        }
    }
}

impl Sheet {
    /// A service tier by the name that the table has for it.
    pub fn tier<'a>(&'a self, name: &'a str) -> &'a str {
        self.file.tier_names.get(name).map_or(name, String::as_str)
    }
}

/// Files of one provider on top of each other, not yet checked.
#[derive(Default)]
struct Draft {
    file: PriceFile,
    origin: String,
    models: Vec<(super::price_file::ModelPrices, Arc<str>)>,
}

impl Draft {
    /// Puts a file on top. What it says for all its models is written into them first, so that it stays theirs.
    fn take(&mut self, mut file: PriceFile, origin: &str) {
        self.origin = origin.to_owned();
        let mut models = std::mem::take(&mut file.models);
        for model in &mut models {
            let source = (!file.source.is_empty()).then(|| file.source.clone());
            model.source = model.source.take().or(source);
            model.checked = model.checked.or(file.checked);
            model.patterns = Some(model.patterns.take().unwrap_or_else(|| file.patterns.clone()));
            for row in &mut model.rates {
                row.cmp = row.cmp.or(file.cmp).or(self.file.cmp);
            }
        }
        let origin: Arc<str> = origin.into();
        for model in models {
            let known = self.models.iter_mut().find(|(known, _)| known.id == model.id);
            match known {
                Some((known, from)) if model.keeps_rows => {
                    (*known, *from) = (model.over(std::mem::take(known)), origin.clone());
                }
                Some(known) => *known = (model, origin.clone()),
                None => self.models.push((model, origin.clone())),
            }
        }
        self.file = file.over(std::mem::take(&mut self.file));
    }

    fn sheet(self) -> Result<Sheet, PriceError> {
        let Self { file, origin, models } = self;
        let wrong = |message| PriceError { origin: origin.clone(), model: None, message };
        let schedules = file.schedules.iter().map(|(name, hours)| {
            let schedule = Schedule::new(hours).map_err(|error| wrong(format!("schedule {name}: {error}")))?;
            Ok((name.clone(), Arc::new(schedule)))
        });
        let schedules: BTreeMap<_, _> = schedules.collect::<Result<_, PriceError>>()?;
        let metering = Metering {
            shape: file.usage.unwrap_or_default(),
            also_at: file.usage_also_at.clone(),
            cost: file.reported_cost.clone(),
        };
        let models = models.into_iter().map(|(prices, origin)| {
            let id = prices.id.clone();
            Model::new(prices, origin.clone(), &schedules).map_err(|message| PriceError {
                origin: origin.to_string(),
                model: Some(id),
                message,
            })
        });
        Ok(Sheet { models: models.collect::<Result<_, _>>()?, file, schedules, metering })
    }
}
