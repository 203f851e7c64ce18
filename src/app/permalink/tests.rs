use super::*;
use crate::generation::{Take, Window};
use crate::model::Part;

fn read(hash: &str) -> Address {
    let (address, problems) = Address::parse(hash);
    assert_eq!(problems, [], "{hash}");
    address
}

/// The address that was read, and the only sentence about it.
fn problem(hash: &str) -> (Address, String) {
    let (address, problems) = Address::parse(hash);
    assert_eq!(problems.len(), 1, "{hash}: {problems:?}");
    (address, problems[0].to_string())
}

#[test]
fn every_page_has_an_address() {
    for hash in ["", "#", "#/", "/"] {
        assert_eq!(read(hash), Address::of(Route::Home));
    }
    assert_eq!(read("#/peargpt").route, Route::PearGpt);
    assert_eq!(read("#/peargpt/").route, Route::PearGpt);
    assert_eq!(read("#/gpt2").settings.sampling.top_k, 50);
    assert_eq!(read(&format!("#/model?sha256={}", "Ab".repeat(32))).route, Route::Own { sha256: "ab".repeat(32) });
    assert_eq!(read("#/model").route, Route::Own { sha256: String::new() });
    assert_eq!(read("#/model").to_string(), "#/model");
    let bench = Route::Bench { model: "gpt2".into(), prompt_tokens: 7, tokens: 9 };
    assert_eq!(read("#/bench?model=gpt2&prompt_tokens=7&tokens=9").route, bench);
    let bench = Route::Bench { model: "peargpt".into(), prompt_tokens: 64, tokens: 128 };
    assert_eq!(read("#/bench").route, bench);
}

#[test]
fn every_parameter_is_read() {
    let address = read(
        "#/peargpt?prompt=To%20be%2C%0Aor+not&words=50&seed=7&temperature=0.5&top_k=3&top_p=0.9&min_p=0.1\
         &repetition_penalty=1.2&window=exact&model=0123456789AB&run=1",
    );
    assert_eq!(address.settings.prompt, "To be,\nor not");
    assert_eq!((address.settings.words, address.settings.seed), (50, Some(7)));
    assert_eq!(address.settings.window, Window::Exact);
    let sampling = &address.settings.sampling;
    assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (0.5, 3, 0.9));
    assert_eq!((sampling.min_p, sampling.repetition_penalty), (0.1, 1.2));
    assert_eq!((address.model.as_deref(), address.run), (Some("0123456789ab"), true));
}

#[test]
fn the_number_of_threads_is_read_and_never_written() {
    for (hash, rest) in [("#/peargpt?threads=2", "#/peargpt"), ("#/gpt2?seed=3&threads=8", "#/gpt2?seed=3")] {
        let address = read(hash);
        assert!(address.threads.is_some_and(|threads| hash.ends_with(&threads.to_string())), "{hash}");
        assert_eq!(address.to_string(), rest);
    }
    assert_eq!(read("#/bench?threads=3").threads, Some(3));
    for hash in ["#/peargpt?threads=0", "#/bench?threads=9", "#/gpt2?threads=two"] {
        let (address, said) = problem(hash);
        assert!(address.threads.is_none() && said.contains("threads takes a whole number from 1 to 8"), "{said}");
    }
    assert!(problem("#/?threads=2").1.contains("threads"));
}

#[test]
fn what_equals_the_default_is_not_written() {
    let mut address = Address::of(Route::PearGpt);
    assert_eq!(address.to_string(), "#/peargpt");
    address.settings.prompt = "50 % of\n“é” & more?".into();
    address.settings.seed = Some(0);
    address.settings.sampling.temperature = 0.7;
    let expected = "#/peargpt?prompt=50%20%25%20of%0A%E2%80%9C%C3%A9%E2%80%9D%20%26%20more%3F&seed=0&temperature=0.7";
    assert_eq!(address.to_string(), expected);
    address.model = Some("0123456789ab".into());
    address.run = true;
    assert_eq!(address.to_string(), format!("{expected}&model=0123456789ab&run=1"));
    assert_eq!(read("#/gpt2?top_k=50").to_string(), "#/gpt2");
    assert_eq!(read("#/bench").to_string(), "#/bench?model=peargpt&prompt_tokens=64&tokens=128");
}

#[test]
fn what_is_written_is_read_back() {
    let prompts = ["", " ", "+", "%", "%41", "a=b&c#d?e", "ROMEO:\n", "\t\u{0}\u{7f}", "ÅÄÖ 你好 👩‍🚀", "..."];
    for (seed, prompt) in (0..).zip(prompts) {
        for route in [Route::PearGpt, Route::Gpt2, Route::Own { sha256: "0f".repeat(32) }] {
            let mut address = Address::of(route);
            address.settings.prompt = prompt.into();
            address.settings.seed = Some(u32::MAX - seed);
            address.settings.words = 5000;
            address.settings.sampling.min_p = 0.1 + seed as f32 / 77.0;
            address.settings.window = Window::Exact;
            address.model = Some("fedcba987654".into());
            address.run = seed % 2 == 0;
            assert_eq!(read(&address.to_string()), address);
        }
    }
}

#[test]
fn stop_sequences_are_repeated() {
    let mut address = Address::of(Route::Gpt2);
    address.settings.stop = ["JULIET:", "\n\n", "\\", " &stop=\r"].map(String::from).to_vec();
    let written = address.to_string();
    let expected = "#/gpt2?stop=JULIET%3A&stop=%5Cn%5Cn&stop=%5C%5C&stop=%20%26stop%3D%5Cr";
    assert_eq!(written, expected);
    assert_eq!(read(&written), address);
    assert_eq!(read("#/peargpt?stop=%0A%0A&seed=1&stop=a+b").settings.stop, ["\n\n", "a b"]);
    let (address, said) = problem(&format!("{written}&stop=5&seed=7"));
    assert!(said.contains("stop takes up to 4 texts of 1 to 100 characters each, found `5`"), "{said}");
    assert_eq!((address.settings.stop.len(), address.settings.seed), (4, Some(7)));
}

#[test]
fn lists_are_written_as_they_are() {
    let hash = "#/gpt2?seed=7&take=12:318,13:5&off=0.3,mlp.2";
    let address = read(hash);
    assert_eq!(address.settings.take, [Take { position: 12, id: 318 }, Take { position: 13, id: 5 }]);
    assert_eq!(address.settings.off, [Part::Head { layer: 0, head: 3 }, Part::Mlp { layer: 2 }]);
    assert_eq!(address.to_string(), hash);
    assert_eq!(read("#/gpt2?seed=7&take=13%3A5%2C12:318&off=mlp.2,0.3").to_string(), hash);
    let (address, said) = problem("#/gpt2?seed=7&take=12:318,13");
    assert!(said.contains("take takes position:id with commas between, each position once, found"), "{said}");
    assert_eq!((address.settings.take.len(), address.settings.seed), (0, Some(7)));
}

#[test]
fn what_is_wrong_is_said_and_the_rest_counts() {
    for (hash, sentence) in [
        ("#/peargpt?seed=7&colour=red", "The address sets “colour”, which this page does not have; that was left out."),
        (
            "#/peargpt?seed=7&prompt_tokens=3",
            "The address sets “prompt_tokens”, which this page does not have; that was left out.",
        ),
        (
            "#/peargpt?words=5001&seed=7",
            "In the address, words takes a whole number from 1 to 5000, found `5001`; the default stands instead.",
        ),
        (
            "#/peargpt?prompt=%zz&seed=7",
            "In the address, “prompt” takes percent-encoded UTF-8, found “%zz”; that was left out.",
        ),
        (
            "#/peargpt?seed=7&model=123",
            "In the address, model takes 12 hex digits, found `123`; the default stands instead.",
        ),
        ("#/peargpt?seed=7&run=yes", "In the address, run takes 1 or 0, found `yes`; the default stands instead."),
    ] {
        let (address, said) = problem(hash);
        assert_eq!(said, sentence);
        assert_eq!(address.settings, Settings { seed: Some(7), ..Route::PearGpt.defaults() });
    }
    let (address, said) = problem("#/bench?tokens=0&prompt_tokens=5");
    assert!(said.contains("tokens takes a whole number from 1 to 4096, found `0`"), "{said}");
    assert_eq!(address.route, Route::Bench { model: "peargpt".into(), prompt_tokens: 5, tokens: 128 });
    assert_eq!(problem("#/?seed=7").0, Address::of(Route::Home));
}

#[test]
fn a_page_that_is_not_there_is_named() {
    for hash in ["#/pear", "#/peargpt/x", "#main", "#/%2e%2e", "#/peargpt%3Frun=1", "#/<b>?seed=7"] {
        let (address, problems) = Address::parse(hash);
        let path = hash[1..].split('?').next().unwrap();
        assert_eq!(problems, [AddressError::Route(path.into())]);
        assert_eq!(address.route, Route::Unknown { path: path.into() });
    }
}

#[test]
fn hostile_addresses_are_survived() {
    for value in ["%", "%4", "%FF", "%C3%28", "%ED%A0%80", "a%2", "%é0"] {
        let (address, said) = problem(&format!("#/peargpt?prompt={value}&words=3"));
        assert!(said.contains("UTF-8"), "{said}");
        assert_eq!((address.settings.words, address.settings.prompt.as_str()), (3, ""));
    }
    let endless = "9".repeat(100_000);
    for pair in [format!("{endless}=1"), format!("seed={endless}"), format!("seed=%z{endless}")] {
        let (_, said) = problem(&format!("#/peargpt?{pair}"));
        assert!(said.len() < 200, "{said}");
    }
    for query in ["&&&", "?", "=", "=&=", "prompt", "%=%", "prompt=a=b", "run", "\u{0}", "seed=é"] {
        let (address, _) = Address::parse(&format!("#/peargpt?{query}"));
        assert_eq!(Address::parse(&address.to_string()), (address, vec![]));
    }
    assert_eq!(read("#/peargpt?prompt=a=b").settings.prompt, "a=b");
    assert_eq!(read("#/peargpt?seed=1&&seed=2&").settings.seed, Some(2));
}

#[test]
fn a_run_that_learns_is_an_address() {
    let hash = "#/train?size=pear&steps=300&prompt=ROMEO%3A&dropout=0.2&text=86c4e6aa9db7&from=peargpt";
    let (address, problems) = Address::parse(hash);
    assert_eq!(problems, []);
    let Route::Train(settings) = &address.route else { panic!("{address:?}") };
    assert_eq!((settings.plan.steps, settings.from.as_deref()), (Some(300), Some("peargpt")));
    assert_eq!(address.to_string(), hash);
    let (address, problems) = Address::parse("#/train?size=huge&words=3");
    assert_eq!(address.to_string(), "#/train");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "In the address, size takes tiny or small or pear, found `huge`; the default stands instead.",
            "The address sets “words”, which this page does not have; that was left out.",
        ]
    );
}
