//! `site.json`: what the site is called, and which model is its home.

use macro_rules_attribute::derive;
use serde::{Deserialize, Serialize};

use crate::app::permalink::{Address, AddressError, Route};
use crate::generation::Settings;
use crate::wire::Read;

/// Models that have a page of their own here, by their ids in the catalog.
pub const WITH_PAGES: [&str; 2] = ["peargpt", "gpt2"];

/// The most characters of a title.
const MOST_TITLE: usize = 80;
/// The most characters of a sentence, and of a prompt.
const MOST_TEXT: usize = 1000;
/// The most prompts.
const MOST_PROMPTS: usize = 12;

/// What a site says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Read!)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The document's title, and the heading of its home.
    pub title: String,
    /// What it is.
    pub sentence: String,
    /// The catalog's id of the model whose page stands at `#/`; `None` where that shows what there is.
    pub home: Option<String>,
    /// Prompts to start from.
    pub prompts: Vec<String>,
    /// Settings with which the home begins, as an address has them: `words=100&temperature=0.5`.
    pub defaults: String,
    /// The catalog's ids of the other models.
    pub offers: Vec<String>,
}

/// A `site.json` that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// It is not JSON of the expected form.
    #[error("site.json does not describe a site: {0}")]
    Json(#[from] serde_json::Error),
    /// A text is missing or too long.
    #[error("the {what} takes {least} to {most} characters on one line, found {found}")]
    Text {
        /// Which text.
        what: &'static str,
        /// Characters it has at least.
        least: usize,
        /// Characters it has at most.
        most: usize,
        /// Characters it has; of several lines those of the first.
        found: usize,
    },
    /// A prompt is empty or too long, or there are too many.
    #[error("a site takes up to {MOST_PROMPTS} example prompts of 1 to {MOST_TEXT} characters each")]
    Prompts,
    /// The home is no model that has a page.
    #[error("the home is `{0}`, expected `peargpt`, `gpt2` or the sha256 of a model")]
    Home(String),
    /// Another model has no page here.
    #[error("the site offers `{0}`, expected some of `peargpt` and `gpt2`")]
    Offer(String),
    /// The settings are wrong.
    #[error("the default settings are wrong: {0}")]
    Defaults(AddressError),
    /// Settings without a home.
    #[error("default settings and prompts are of a home, and this site has none")]
    Homeless,
}

/// The page of the model of this id in the catalog.
pub fn route_of(id: &str) -> Option<Route> {
    match id {
        "peargpt" => Some(Route::PearGpt),
        "gpt2" => Some(Route::Gpt2),
        id if id.len() == 64 => Some(Route::Own { sha256: id.to_string() }),
        _ => None,
    }
}

/// Settings as the defaults of a site: as an address has them, without what is of one text.
pub fn defaults(route: Route, settings: &Settings) -> String {
    let plain = Address::of(route.clone()).settings;
    let Settings { words, stop, window, sampling, .. } = settings.clone();
    let settings = Settings { words, stop, window, sampling, ..plain };
    let address = Address { settings, ..Address::of(route) }.to_string();
    let query = address.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.starts_with("sha256=")).collect::<Vec<_>>().join("&")
}

impl Site {
    /// Reads and checks a `site.json`.
    pub fn parse(json: &str) -> Result<Self, SiteError> {
        let site: Site = serde_json::from_str(json)?;
        site.check()?;
        Ok(site)
    }

    /// Fails where something of it cannot be shown.
    pub fn check(&self) -> Result<(), SiteError> {
        self.check_texts()?;
        match (&self.home, self.home_address()) {
            (None, _) if !(self.prompts.is_empty() && self.defaults.is_empty()) => Err(SiteError::Homeless),
            (None, _) => Ok(()),
            (Some(home), None) => Err(SiteError::Home(home.clone())),
            (Some(_), Some(address)) => Address::parse(&address)
                .1
                .into_iter()
                .next()
                .map_or(Ok(()), |problem| Err(SiteError::Defaults(problem))),
        }
    }

    /// The same without home and settings, of which whoever has made them knows that they are right.
    pub fn check_texts(&self) -> Result<(), SiteError> {
        check_text("title", &self.title, 1, MOST_TITLE)?;
        check_text("sentence", &self.sentence, 0, MOST_TEXT)?;
        let fits = |prompt: &String| (1..=MOST_TEXT).contains(&prompt.chars().count());
        if self.prompts.len() > MOST_PROMPTS || !self.prompts.iter().all(fits) {
            return Err(SiteError::Prompts);
        }
        if let Some(offer) = self.offers.iter().find(|offer| !WITH_PAGES.contains(&offer.as_str())) {
            return Err(SiteError::Offer(offer.clone()));
        }
        Ok(())
    }

    /// Whether this is the catalog's id of the home.
    pub fn is_home(&self, id: &str) -> bool {
        self.home.as_deref() == Some(id)
    }

    /// Whether the catalog has the model of this id.
    pub fn has(&self, id: &str) -> bool {
        self.is_home(id) || self.offers.iter().any(|offer| offer == id)
    }

    /// The address that `#/` stands for.
    fn home_address(&self) -> Option<String> {
        let route = route_of(self.home.as_ref()?)?;
        let mut address = Address::of(route).to_string();
        if !self.defaults.is_empty() {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(&self.defaults);
        }
        Some(address)
    }

    /// The settings with which the page of a model begins.
    pub fn settings(&self, route: &Route) -> Settings {
        let (home, _) = self.read("#/");
        if home.route == *route { home.settings } else { route.defaults() }
    }

    /// What an address says on this site, and what is wrong with it: `#/` is the home with its settings, and models that
    /// are not here have no page.
    pub fn read(&self, hash: &str) -> (Address, Vec<AddressError>) {
        let (path, query) = hash.split_once('?').unwrap_or((hash, ""));
        let mut read = match self.home_address() {
            Some(home) if path.trim_matches(['#', '/']).is_empty() => {
                let join = if home.contains('?') { '&' } else { '?' };
                Address::parse(&format!("{home}{join}{query}"))
            }
            _ => Address::parse(hash),
        };
        if let Route::Bench { model, .. } = &mut read.0.route
            && !self.has(model)
            && let (Some(home), "peargpt") = (&self.home, model.as_str())
        {
            model.clone_from(home);
        }
        let id = match &read.0.route {
            Route::PearGpt => WITH_PAGES[0],
            Route::Gpt2 => WITH_PAGES[1],
            _ => return read,
        };
        if self.has(id) {
            return read;
        }
        let path = read.0.route.path().to_string();
        (Address::of(Route::Unknown { path: path.clone() }), vec![AddressError::Route(path)])
    }
}

fn check_text(what: &'static str, text: &str, least: usize, most: usize) -> Result<(), SiteError> {
    let found = text.trim().lines().next().unwrap_or_default().chars().count();
    let is_one_line = !text.chars().any(char::is_control);
    match (least..=most).contains(&found) && is_one_line {
        true => Ok(()),
        false => Err(SiteError::Text { what, least, most, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(home: Option<&str>, defaults: &str) -> Site {
        let (home, offers) = (home.map(String::from), vec!["gpt2".to_string()]);
        let (title, sentence) = ("Mine <b>".to_string(), "It writes.".to_string());
        Site { title, sentence, home, prompts: Vec::new(), defaults: defaults.to_string(), offers }
    }

    #[test]
    fn the_sites_own_is_right() {
        let site = Site::parse(include_str!("../../site.json")).unwrap();
        assert_eq!((site.home, site.offers), (None, WITH_PAGES.map(String::from).to_vec()));
    }

    #[test]
    fn home_is_a_model_with_settings_of_its_own_and_other_addresses_are_as_everywhere() {
        let id = "0f".repeat(32);
        let site = site(Some(&id), "words=50&temperature=0.5");
        site.check().unwrap();
        for hash in ["", "#", "#/", "#/?", "/"] {
            let (address, problems) = site.read(hash);
            assert_eq!((address.settings.words, problems.len()), (50, 0), "{hash}");
            assert_eq!(address.to_string(), format!("#/model?sha256={id}&words=50&temperature=0.5"));
        }
        assert_eq!(site.read("#/?words=7&seed=3").0.settings.seed, Some(3));
        let elsewhere = format!("#/model?sha256={id}&seed=3");
        assert_eq!(site.read(&elsewhere), Address::parse(&elsewhere));
        assert_eq!(site.read("#/gpt2?words=7"), Address::parse("#/gpt2?words=7"));
        let (address, problems) = site.read("#/peargpt?words=7");
        assert_eq!(address.route, Route::Unknown { path: "/peargpt".into() });
        assert_eq!(problems[0].to_string(), "There is no page “/peargpt” here.");
        assert!(site.has(&id) && site.has("gpt2") && !site.has("peargpt"));
    }

    #[test]
    fn the_homes_page_begins_with_the_sites_settings_and_others_as_everywhere() {
        let site = site(Some(&"0f".repeat(32)), "words=50&temperature=0.5");
        let own = site.settings(&route_of(&"0f".repeat(32)).unwrap());
        assert_eq!((own.words, own.sampling.temperature), (50, 0.5));
        for route in [Route::Gpt2, route_of(&"0e".repeat(32)).unwrap()] {
            assert_eq!(site.settings(&route), route.defaults());
        }
    }

    #[test]
    fn the_home_of_a_site_of_pear_gpt_has_its_address() {
        assert_eq!(site(Some("peargpt"), "").read("#/").0.to_string(), "#/peargpt");
        assert_eq!(site(Some("peargpt"), "words=3").read("#/").0.to_string(), "#/peargpt?words=3");
        assert_eq!(site(None, "").read("#/").0.route, Route::Home);
    }

    #[test]
    fn settings_become_defaults_without_what_is_of_one_text() {
        let route = Route::Own { sha256: "0f".repeat(32) };
        let hash = "#/model?prompt=A&words=50&seed=7&temperature=0.5&stop=a&stop=b%0A&take=1:2&run=1";
        let (address, _) = Address::parse(hash);
        let defaults = defaults(route, &address.settings);
        assert_eq!(defaults, "words=50&stop=a&stop=b%5Cn&temperature=0.5");
        let mine = site(Some(&"0f".repeat(32)), &defaults);
        mine.check().unwrap();
        assert_eq!(mine.read("#/").0.settings.stop, ["a", "b\n"]);
    }

    #[test]
    fn where_pear_gpt_is_not_the_home_is_measured() {
        let measured = |site: &Site, hash: &str| match site.read(hash).0.route {
            Route::Bench { model, .. } => model,
            other => panic!("{other:?}"),
        };
        let id = "0f".repeat(32);
        assert_eq!(measured(&site(Some(&id), ""), "#/bench"), id);
        assert_eq!(measured(&site(Some(&id), ""), "#/bench?model=gpt2"), "gpt2");
        assert_eq!(measured(&site(Some("peargpt"), ""), "#/bench"), "peargpt");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: fn(&mut Site)| {
            let mut site = site(Some("peargpt"), "");
            change(&mut site);
            site.check().unwrap_err().to_string()
        };
        assert!(wrong(|site| site.title = " ".into()).contains("title takes 1 to 80"));
        assert!(wrong(|site| site.title = "a\nb".into()).contains("on one line"));
        assert!(wrong(|site| site.sentence = "a".repeat(1001)).contains("sentence takes 0 to 1000"));
        assert!(wrong(|site| site.prompts = vec![String::new()]).contains("up to 12 example prompts"));
        assert!(wrong(|site| site.home = Some("gpt3".into())).contains("`gpt3`"));
        assert!(wrong(|site| site.offers = vec!["gpt3".into()]).contains("`gpt3`"));
        assert!(wrong(|site| site.defaults = "words=many".into()).contains("found `many`"));
        assert!(wrong(|site| site.defaults = "colour=red".into()).contains("“colour”"));
        assert!(wrong(|site| (site.home, site.defaults) = (None, "words=3".into())).contains("this site has none"));
        let error = Site::parse("{\"title\": \"\", \"colour\": 1}").unwrap_err().to_string();
        assert!(error.contains("unknown field `colour`"), "{error}");
    }
}
