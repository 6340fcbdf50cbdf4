use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 8));

fn key(n: u8) -> Fingerprint {
    Fingerprint::of(&[n])
}

fn knock(address: IpAddr, n: u8, name: &str) -> Knock<'_> {
    Knock { address, key: key(n), name }
}

/// Knocks and, if good, enters; the join string counts.
fn attach(
    admission: &mut Admission,
    now: Duration,
    knock: Knock<'_>,
    join: Option<&mut Join>,
) -> Result<Admitted, Refusal> {
    let shown = join.as_deref().map_or(Shown::Unknown, Shown::Known);
    let admitted = admission.judge(now, 50, knock, shown)?;
    if let (Admitted::New, Some(join)) = (admitted, join) {
        join.admitted.insert(knock.key);
    }
    admission.enter(now, knock.name, knock.key);
    Ok(admitted)
}

#[test]
fn each_thing_that_is_wrong_is_told_with_its_remedy() {
    let check = |shown: Shown<'_>, remedy: &str, code: RejectCode| {
        let refusal = Admission::default().judge(S, 50, knock(HERE, 1, "a"), shown).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
        let text = refusal.to_string();
        assert!(text.contains("agent a") && text.contains(remedy), "{text}");
    };
    check(Shown::Nothing, "--join string that the coordinator printed", RejectCode::Secret);
    check(Shown::Unknown, "copy the string", RejectCode::Secret);
    check(Shown::Known(&Join::new(40, 5)), "expired 10 s ago", RejectCode::Secret);
    check(Shown::Known(&Join::new(60, 0)), "more --join-uses", RejectCode::Secret);
    let mut admission = Admission::default();
    let join = Join::new(60, 1);
    assert_eq!(admission.judge(S, 50, knock(HERE, 1, "a"), Shown::Known(&join)), Ok(Admitted::New));
    assert_eq!(admission.judge(S, 50, knock(HERE, 1, "a"), Shown::Certificate), Ok(Admitted::Again));
}

#[test]
fn a_key_that_was_let_in_comes_back_without_the_secret_and_after_its_end() {
    let mut admission = Admission::default();
    let mut join = Join::new(60, 1);
    assert_eq!(attach(&mut admission, S, knock(HERE, 1, "a"), Some(&mut join)), Ok(Admitted::New));
    admission.leave(2 * S, "a");
    assert_eq!(admission.judge(3 * S, 999, knock(THERE, 1, "a"), Shown::Nothing), Ok(Admitted::Again));
    // Another coordinator with the same state directory knows the key by the join string.
    let known = Admission::default().judge(S, 999, knock(HERE, 1, "a"), Shown::Known(&join));
    assert_eq!(known, Ok(Admitted::Again));
    let other = admission.judge(3 * S, 50, knock(HERE, 2, "b"), Shown::Known(&join));
    assert_eq!(other, Err(Refusal::UsedUp { name: "b".to_owned(), uses: 1 }));
}

#[test]
fn a_name_belongs_to_a_key_until_its_lease_is_surely_over() {
    let mut admission = Admission::default();
    let mut join = Join::new(60, 9);
    attach(&mut admission, S, knock(HERE, 1, "a"), Some(&mut join)).unwrap();
    let thief = |admission: &mut Admission, now| {
        admission.judge(now, 50, knock(THERE, 2, "a"), Shown::Known(&Join::new(60, 9)))
    };
    assert_eq!(thief(&mut admission, 2 * S), Err(Refusal::Identity("a".to_owned())));
    // It attaches again before its old stream is known to be gone.
    attach(&mut admission, 3 * S, knock(HERE, 1, "a"), None).unwrap();
    admission.leave(4 * S, "a");
    assert_eq!(thief(&mut admission, 5 * S), Err(Refusal::Identity("a".to_owned())), "one stream is left");
    admission.leave(6 * S, "a");
    let held = Refusal::NameHeld { name: "a".to_owned(), wait_s: 1 };
    assert_eq!(held.code(), RejectCode::Wait);
    assert_eq!(thief(&mut admission, 5 * S + NAME_HELD + S / 2), Err(held));
    assert_eq!(thief(&mut admission, 6 * S + NAME_HELD), Ok(Admitted::New), "by now it is no theft");
    assert!(NAME_HELD > crate::fleet::LEASE + 750 * MS, "a lease is surely over by then");
    // A refusal of this kind spends no use, and is no failed try.
    assert!(join.admitted.len() == 1 && admission.tries.is_empty());
}

#[test]
fn ten_tries_a_minute_and_address_can_fail() {
    let mut admission = Admission::default();
    let fail = |admission: &mut Admission, now, address| {
        admission.judge(now, 50, knock(address, 2, "b"), Shown::Unknown).unwrap_err()
    };
    let mut join = Join::new(60, 9);
    attach(&mut admission, S, knock(HERE, 1, "a"), Some(&mut join)).unwrap();
    for i in 0..MAX_TRIES as u32 {
        assert_eq!(fail(&mut admission, S * i, HERE), Refusal::Wrong("b".to_owned()), "try {i}");
    }
    let locked = Refusal::TooManyTries { address: HERE, wait_s: 50 };
    assert_eq!(fail(&mut admission, 10 * S, HERE), locked);
    let right = admission.judge(10 * S, 50, knock(HERE, 2, "b"), Shown::Known(&join));
    assert_eq!(right, Err(locked), "even the right secret waits, or a guess would be told");
    let known = admission.judge(10 * S, 50, knock(HERE, 1, "a"), Shown::Nothing);
    assert_eq!(known, Ok(Admitted::Again), "who is in is not kept out by a neighbour");
    assert_eq!(
        fail(&mut admission, 10 * S, THERE),
        Refusal::Wrong("b".to_owned()),
        "elsewhere it is another matter"
    );
    assert_eq!(
        fail(&mut admission, 60 * S, HERE),
        Refusal::Wrong("b".to_owned()),
        "the first try is a minute old"
    );
    assert_eq!(fail(&mut admission, 60 * S, HERE), Refusal::TooManyTries { address: HERE, wait_s: 1 });
}

#[test]
fn an_ipv6_network_is_one_address_and_there_is_an_end_to_what_is_remembered() {
    let mut admission = Admission::default();
    let v6 = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
    for host in 0..MAX_TRIES as u16 {
        admission.judge(S, 50, knock(v6(host), 2, "b"), Shown::Unknown).unwrap_err();
    }
    let refusal = admission.judge(S, 50, knock(v6(99), 2, "b"), Shown::Unknown).unwrap_err();
    assert_eq!(refusal.code(), RejectCode::Wait);
    for n in 0..2 * MAX_ADDRESSES as u32 {
        let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        admission.judge(S + S * n, 50, knock(address, 2, "b"), Shown::Nothing).unwrap_err();
    }
    assert_eq!(admission.tries.len(), MAX_ADDRESSES);
}

proptest! {
    /// Whatever happens in whatever order, nobody is in without a secret that was good, a secret lets in no more
    /// keys than it may, and no two keys speak for a name at the same time.
    #[test]
    fn nobody_gets_in_by_asking_oddly(steps in proptest::collection::vec((0_u8..6, 0_u8..3, 0_u8..4, any::<bool>()), 1..80)) {
        let mut admission = Admission::default();
        let mut join = Join::new(60, 2);
        let mut open: Vec<(u8, u8)> = Vec::new();
        for (i, (n, name, what, leaves)) in steps.into_iter().enumerate() {
            let now = S * i as u32 * 3;
            if leaves && let Some((_, name)) = open.pop() {
                admission.leave(now, &name.to_string());
                continue;
            }
            let shown_name = name.to_string();
            let knock = knock(HERE, n, &shown_name);
            let shown = match what {
                0 => Shown::Nothing,
                1 => Shown::Unknown,
                _ => Shown::Known(&join),
            };
            if let Ok(admitted) = admission.judge(now, 50, knock, shown) {
                if admitted == Admitted::New {
                    prop_assert!(what >= 2, "let in for nothing");
                    join.admitted.insert(knock.key);
                }
                prop_assert!(join.admitted.contains(&knock.key));
                prop_assert!(open.iter().all(|(other, held)| *held != name || *other == n), "two keys, one name");
                admission.enter(now, &shown_name, knock.key);
                open.push((n, name));
            }
            prop_assert!(join.admitted.len() <= 2);
        }
    }
}
