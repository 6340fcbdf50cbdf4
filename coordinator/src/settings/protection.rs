//! What the flags say about who may attach, and over what.

use super::{Environment, Text, UsageError, path, switch};
use crate::cli::{JoinArgs, RunArgs};
use crate::journal::DoorFlags;
use proto::join::JoinString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use system::state_home::state_home;

/// How long a join string lets in new agents.
const DEFAULT_TTL: Duration = Duration::from_hours(1);

/// How many agents a join string lets in that was made in advance.
const DEFAULT_USES: u32 = 100;

/// Most agents that a join string lets in.
const MAX_USES: u32 = 10_000;

/// What protects the port for agents.
#[derive(Clone, Debug, PartialEq)]
pub enum Protection {
    /// Nothing: only this machine reaches it.
    None,
    /// Nothing, although others reach it: the operator insists.
    Insecure,
    /// TLS.
    Tls(TlsConfig),
}

/// TLS for agents.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsConfig {
    /// The operator's certificate chain and key; without it the coordinator has a key of its own.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What agents get in with.
    pub entry: Entry,
    /// Where the coordinator's own key and what is known of join strings are kept, if there is a place.
    pub state_dir: Option<PathBuf>,
}

/// What agents get in with.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A certificate of an authority in this file.
    Certificates(PathBuf),
    /// A join string that is made at the start.
    New(Terms),
    /// A join string that was agreed on in advance.
    Agreed {
        /// Where it comes from.
        source_name: &'static str,
        /// The string.
        join: JoinString,
        /// For strings that this state directory does not know.
        terms: Terms,
    },
    /// The same, in a file.
    InFile {
        /// The file.
        path: PathBuf,
        /// For strings that this state directory does not know.
        terms: Terms,
    },
}

/// What a join string is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long it lets in new agents.
    pub ttl: Duration,
    /// How many.
    pub uses: u32,
}

/// A join string that is made in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinConfig {
    /// What it is good for.
    pub terms: Terms,
    /// Where it is kept.
    pub state_dir: Option<PathBuf>,
    /// The operator's certificate, whose key it is for; without it, the coordinator's own.
    pub certificate: Option<PathBuf>,
}

impl JoinConfig {
    /// What `coordinator join` was asked for.
    pub fn resolve(args: &JoinArgs, env: &Environment) -> Result<JoinConfig, UsageError> {
        let ttl = Text::find("--ttl", "LOAD_TEST_JOIN_TTL", args.ttl.as_deref(), env);
        let uses = Text::find("--uses", "LOAD_TEST_JOIN_USES", args.uses.as_deref(), env);
        Ok(JoinConfig {
            terms: Terms {
                ttl: ttl.map_or(Ok(DEFAULT_TTL), Text::duration)?,
                uses: uses.map_or(Ok(u64::from(DEFAULT_USES)), |t| t.integer(1, MAX_USES.into()))? as u32,
            },
            state_dir: state_dir(args.state_dir.as_ref(), env),
            certificate: args.tls_cert.clone().or_else(|| path(env, "LOAD_TEST_TLS_CERT")),
        })
    }
}

impl Protection {
    /// The flags that ask for the same again; a join string from the environment is none of them.
    pub fn flags(&self) -> DoorFlags {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        match self {
            Protection::None => DoorFlags::default(),
            Protection::Insecure => DoorFlags { insecure: true, ..DoorFlags::default() },
            Protection::Tls(TlsConfig { certificate, entry, state_dir }) => DoorFlags {
                tls: true,
                insecure: false,
                tls_cert: certificate.as_ref().map(|(certificate, _)| absolute(certificate)),
                tls_key: certificate.as_ref().map(|(_, key)| absolute(key)),
                tls_ca: if let Entry::Certificates(path) = entry { Some(absolute(path)) } else { None },
                state_dir: state_dir.as_ref().map(absolute),
                join_file: if let Entry::InFile { path, .. } = entry { Some(absolute(path)) } else { None },
            },
        }
    }

    /// What protects a coordinator at `listen` that expects so many agents.
    pub fn resolve(
        args: &RunArgs,
        env: &Environment,
        listen: SocketAddr,
        expect_agents: u32,
    ) -> Result<Protection, UsageError> {
        let file = |typed: &Option<PathBuf>, variable| typed.clone().or_else(|| path(env, variable));
        let certificate = file(&args.tls_cert, "LOAD_TEST_TLS_CERT");
        let key = file(&args.tls_key, "LOAD_TEST_TLS_KEY");
        let authority = file(&args.tls_ca, "LOAD_TEST_TLS_CA");
        let join_file = file(&args.join_file, "LOAD_TEST_JOIN_FILE");
        let join =
            join_file.is_none().then(|| Text::find("--join-file", "LOAD_TEST_JOIN", None, env)).flatten();
        let asked = [
            ("--tls-cert", certificate.is_some()),
            ("--tls-key", key.is_some()),
            ("--tls-ca", authority.is_some()),
            ("--join-file", join_file.is_some()),
            ("LOAD_TEST_JOIN", join.is_some()),
            ("--tls", args.tls || switch("LOAD_TEST_TLS", env)?),
        ];
        let asked = asked.into_iter().find_map(|(flag, given)| given.then_some(flag));
        if args.insecure || switch("LOAD_TEST_INSECURE", env)? {
            return match asked {
                Some(flag) => {
                    Err(wrong("--insecure", &format!("contradicts {flag}"), "leave one of them away"))
                }
                None => Ok(Protection::Insecure),
            };
        }
        if asked.is_none() && listen.ip().to_canonical().is_loopback() {
            return Ok(Protection::None);
        }
        let certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong("--tls-cert", "stands without its key", "give --tls-key, too"));
            }
            (None, Some(_)) => {
                return Err(wrong("--tls-key", "stands without its certificate", "give --tls-cert, too"));
            }
        };
        let state_dir = state_dir(args.state_dir.as_ref(), env);
        let entry = match authority {
            None => entry(args, env, join_file, join, expect_agents)?,
            Some(_) if certificate.is_none() => {
                let remedy =
                    "give --tls-cert and --tls-key, too: agents check the coordinator in the same way";
                return Err(wrong("--tls-ca", "stands without a certificate of the coordinator", remedy));
            }
            Some(_) if join_file.is_some() || join.is_some() => {
                let remedy = "leave the join string (--join-file, LOAD_TEST_JOIN) or --tls-ca away";
                return Err(wrong(
                    "--tls-ca",
                    "lets agents in by certificate, and there is a join string",
                    remedy,
                ));
            }
            Some(authority) => Entry::Certificates(authority),
        };
        Ok(Protection::Tls(TlsConfig { certificate, entry, state_dir }))
    }
}

fn entry(
    args: &RunArgs,
    env: &Environment,
    join_file: Option<PathBuf>,
    join: Option<Text<'_>>,
    expect_agents: u32,
) -> Result<Entry, UsageError> {
    let ttl = Text::find("--join-ttl", "LOAD_TEST_JOIN_TTL", args.join_ttl.as_deref(), env);
    let uses = Text::find("--join-uses", "LOAD_TEST_JOIN_USES", args.join_uses.as_deref(), env);
    // Room for agents that are started again.
    let enough = (2 * u64::from(expect_agents)).clamp(10, MAX_USES.into());
    let terms = Terms {
        ttl: ttl.map_or(Ok(DEFAULT_TTL), Text::duration)?,
        uses: uses.map_or(Ok(enough), |t| t.integer(1, MAX_USES.into()))? as u32,
    };
    match (join_file, join) {
        (Some(path), _) => Ok(Entry::InFile { path, terms }),
        (None, None) => Ok(Entry::New(terms)),
        (None, Some(text)) => match JoinString::parse(text.value) {
            Ok(join) => Ok(Entry::Agreed { source_name: text.source_name, join, terms }),
            Err(problem) => {
                let problem = problem.to_string();
                let (problem, remedy) = problem.split_once("; ").unwrap_or((&problem, "copy it again"));
                Err(wrong(text.source_name, problem, remedy))
            }
        },
    }
}

/// The state directory, as the XDG base directory specification has it unless it is named.
fn state_dir(typed: Option<&PathBuf>, env: &Environment) -> Option<PathBuf> {
    let home = || state_home(|name| path(env, name).map(PathBuf::into_os_string));
    let usual = || home().map(|home| home.join("muster"));
    typed.cloned().or_else(|| path(env, "LOAD_TEST_STATE_DIR")).or_else(usual)
}

fn wrong(source_name: &'static str, problem: &str, remedy: &str) -> UsageError {
    UsageError { source_name, problem: problem.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use proto::{Fingerprint, Secret};

    fn join() -> String {
        let pin = Fingerprint::of(b"key");
        JoinString { pin, secret: Secret::from_bytes([7; Secret::BYTES]) }.reveal()
    }

    fn resolve(line: &str, env: &[(&str, &str)]) -> Result<Protection, String> {
        let arguments: Vec<&str> = std::iter::once("coordinator").chain(line.split_whitespace()).collect();
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let cli = Cli::read(arguments).unwrap();
        let config =
            super::super::RunConfig::resolve(&cli.run, &env, 0).map_err(|error| error.to_string())?;
        let join = config.settings.env.get("LOAD_TEST_JOIN");
        assert_eq!(join, None, "a plan must not be able to read it");
        Ok(config.protection)
    }

    fn tls(line: &str, env: &[(&str, &str)]) -> TlsConfig {
        match resolve(line, env) {
            Ok(Protection::Tls(config)) => config,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn loopback_is_open_and_everything_else_is_not() {
        assert_eq!(resolve("", &[]), Ok(Protection::None));
        assert_eq!(resolve("--listen [::1]:1", &[]), Ok(Protection::None));
        assert_eq!(resolve("--listen 0.0.0.0:1 --insecure", &[]), Ok(Protection::Insecure));
        let new = |uses| Terms { ttl: DEFAULT_TTL, uses };
        for line in ["--listen 0.0.0.0:1", "--listen [::]:1", "--listen 10.0.0.1:1", "--tls"] {
            assert_eq!(tls(line, &[]).entry, Entry::New(new(10)), "{line}");
        }
        assert_eq!(tls("--tls --expect-agents 40", &[]).entry, Entry::New(new(80)));
        let chosen = tls("--tls --join-ttl 2h --join-uses 3", &[]).entry;
        assert_eq!(chosen, Entry::New(Terms { ttl: Duration::from_hours(2), ..new(3) }));
        let agreed = tls("", &[("LOAD_TEST_JOIN", &join())]).entry;
        assert!(matches!(agreed, Entry::Agreed { source_name: "LOAD_TEST_JOIN", .. }), "{agreed:?}");
        let file = tls("--join-file j", &[("LOAD_TEST_JOIN", &join())]).entry;
        assert_eq!(file, Entry::InFile { path: "j".into(), terms: new(10) }, "a flag wins");
        let pki = tls("--tls-cert c --tls-key k --tls-ca a", &[]);
        assert_eq!(
            (pki.certificate, pki.entry),
            (Some(("c".into(), "k".into())), Entry::Certificates("a".into()))
        );
    }

    #[test]
    fn the_state_directory_is_where_others_keep_theirs() {
        let check = |line: &str, env: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(tls(&format!("--tls {line}"), env).state_dir, expected.map(PathBuf::from), "{env:?}");
        };
        check("", &[], None);
        check("", &[("HOME", "/home/ada")], Some("/home/ada/.local/state/muster"));
        check("", &[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/state")], Some("/state/muster"));
        check(
            "",
            &[("HOME", "/home/ada"), ("XDG_STATE_HOME", "relative")],
            Some("/home/ada/.local/state/muster"),
        );
        check("", &[("XDG_STATE_HOME", "/state"), ("LOAD_TEST_STATE_DIR", "d")], Some("d"));
        check("--state-dir e", &[("LOAD_TEST_STATE_DIR", "d")], Some("e"));
    }

    #[test]
    fn contradictions_name_both_sides_and_the_remedy() {
        let check = |line: &str, env: &[(&str, &str)], expected: &str| {
            let problem = resolve(line, env).unwrap_err();
            assert_eq!(problem, expected);
        };
        check("--insecure --tls", &[], "--insecure: contradicts --tls; leave one of them away");
        check("--tls-cert c", &[], "--tls-cert: stands without its key; give --tls-key, too");
        check("--tls-key c", &[], "--tls-key: stands without its certificate; give --tls-cert, too");
        check(
            "--tls-ca a",
            &[],
            "--tls-ca: stands without a certificate of the coordinator; give --tls-cert and --tls-key, too: agents \
             check the coordinator in the same way",
        );
        check(
            "--tls-ca a --tls-cert c --tls-key k",
            &[("LOAD_TEST_JOIN", &join())],
            "--tls-ca: lets agents in by certificate, and there is a join string; leave the join string (--join-file, \
             LOAD_TEST_JOIN) or --tls-ca away",
        );
        check(
            "--tls --join-uses 0",
            &[],
            "--join-uses: `0` is out of range; write a whole number from 1 to 10000",
        );
        let short = &join()[..50];
        check(
            "",
            &[("LOAD_TEST_JOIN", short)],
            "LOAD_TEST_JOIN: the join string is cut short: 50 of 79 characters; copy the whole of it",
        );
    }

    #[test]
    fn strings_made_in_advance_have_their_own_flags() {
        let config = |line: &str| {
            let cli = Cli::read(line.split_whitespace()).unwrap();
            let Some(Command::Join(args)) = cli.command else { panic!("{line}") };
            JoinConfig::resolve(&args, &Environment::new()).map_err(|error| error.to_string())
        };
        let made = config("coordinator join --ttl 30m --uses 4 --state-dir d --tls-cert c").unwrap();
        let expected = JoinConfig {
            terms: Terms { ttl: Duration::from_mins(30), uses: 4 },
            state_dir: Some("d".into()),
            certificate: Some("c".into()),
        };
        assert_eq!(made, expected);
        assert_eq!(config("coordinator join").unwrap().terms.uses, DEFAULT_USES);
        assert!(config("coordinator join --ttl 0s").unwrap_err().starts_with("--ttl: "));
    }
}
