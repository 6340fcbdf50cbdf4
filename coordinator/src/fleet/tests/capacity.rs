//! Saturated agents get no more users, and what becomes of users for whom only these have room.

use super::super::capacity::{BAD_SECONDS, GOOD_SECONDS};
use super::super::strain::BUSY_PERMILLE;
use super::*;

/// An agent's windows, one after the other.
struct Windows {
    session: u64,
    seq: u64,
}

impl Windows {
    fn of(session: u64) -> Windows {
        Windows { session, seq: 0 }
    }

    /// So many seconds in which it was strained, or was not. Gives the notes, and what else was said but acknowledgements.
    fn tell(&mut self, h: &mut Harness, seconds: u32, strained: bool) -> (Vec<String>, Vec<Output>) {
        let cpu_permille = if strained { BUSY_PERMILLE + 1 } else { 0 };
        let (mut notes, mut said) = (Vec::new(), Vec::new());
        for _ in 0..seconds {
            self.seq += 1;
            h.now += S;
            for session in 1..=3 {
                h.says(session, FromAgent::Renew { n: 1, users: 1 });
            }
            let health = HealthReport { cpu_permille, ..HealthReport::default() };
            let message = FromAgent::Window(Box::new(WindowReport { health, ..*window(self.seq, 1, false) }));
            h.fleet.handle_input(h.now, Input::Received { session: SessionId(self.session), message });
            while let Some(output) = h.fleet.poll_output() {
                match output {
                    Output::Note(text) => notes.push(text),
                    Output::Apply { .. } | Output::Send { message: ToAgent::WindowAck { .. }, .. } => {}
                    other => said.push(other),
                }
            }
        }
        (notes, said)
    }
}

/// (session, slots) of each assignment among `outputs`.
fn assigned(outputs: &[Output]) -> Vec<(u64, Vec<u32>)> {
    let assign = |output: &Output| match output {
        Output::Send { session, message: ToAgent::Assign { seats, .. } } => {
            Some((session.0, seats.iter().map(|seat| seat.slot.0).collect()))
        }
        _ => None,
    };
    outputs.iter().filter_map(assign).collect()
}

fn leaves(h: &mut Harness, session: u64) -> Vec<Output> {
    h.says(session, FromAgent::Goodbye { reason: "SIGTERM".to_owned() })
}

fn handed_over(h: &Harness, index: usize) -> Option<(u32, u32, u32)> {
    let outcome = h.fleet.agents[index].outcome();
    outcome.handed_over.map(|handed_over| (handed_over.moved, handed_over.stranded, handed_over.waited))
}

#[test]
fn a_saturated_agent_keeps_its_users_and_gets_no_more() {
    let mut h =
        Harness::with(3, 9, |config| config.schedule = Schedule::constant(9, None, 60 * S)).run(3, 1000);
    let mut second = Windows::of(2);
    assert_eq!(second.tell(&mut h, BAD_SECONDS - 1, true), (vec![], vec![]));
    let (notes, said) = second.tell(&mut h, 1, true);
    assert_eq!(said, [], "nothing is taken from it");
    let expected = "warning: agent a2 is saturated 2 s into the run, for 3 s: its processor is 85.1 % busy (limit 85 %); \
                    it gets no more users until it is fit for 10 s";
    assert_eq!(notes, [expected]);
    assert_eq!(second.tell(&mut h, 5, true), (vec![], vec![]), "it is told once");
    assert_eq!(assigned(&leaves(&mut h, 1)), [(3, vec![0, 2, 3, 5, 6, 8])]);
    assert_eq!(handed_over(&h, 0), Some((3, 0, 0)));

    assert_eq!(second.tell(&mut h, GOOD_SECONDS - 1, false), (vec![], vec![]));
    assert_eq!(second.tell(&mut h, 1, false).0, ["agent a2 is fit again 17 s into the run"]);
    assert_eq!(assigned(&leaves(&mut h, 3)), [(2, (0..9).collect())], "it counts again");
}

#[test]
fn without_strain_for_three_seconds_in_a_row_users_move_to_whoever_has_fewest() {
    let mut h = Harness::running(3, 9);
    let mut second = Windows::of(2);
    second.tell(&mut h, BAD_SECONDS - 1, true);
    second.tell(&mut h, 1, false);
    second.tell(&mut h, BAD_SECONDS - 1, true);
    let moved = assigned(&leaves(&mut h, 1));
    assert_eq!(
        moved.iter().map(|(session, slots)| (*session, slots.len())).collect::<Vec<_>>(),
        [(2, 5), (3, 4)]
    );
}

#[test]
fn users_wait_while_all_are_saturated_and_go_on_when_one_is_fit() {
    let schedule = Schedule::constant(9, None, 60 * S);
    let mut h = Harness::with(3, 9, |config| config.schedule = schedule).run(3, 1000);
    let (mut second, mut third) = (Windows::of(2), Windows::of(3));
    second.tell(&mut h, BAD_SECONDS, true);
    third.tell(&mut h, BAD_SECONDS, true);
    assert_eq!(assigned(&leaves(&mut h, 1)), []);
    assert_eq!(handed_over(&h, 0), Some((0, 3, 3)));
    assert_eq!(second.tell(&mut h, GOOD_SECONDS - 1, false), (vec![], vec![]));
    let (notes, said) = second.tell(&mut h, 1, false);
    assert_eq!(assigned(&said), [(2, vec![0, 1, 3, 4, 6, 7])]);
    assert_eq!(notes[1], "3 users that waited for a fit agent go on at 1 agents");
    assert_eq!(handed_over(&h, 0), Some((3, 0, 3)), "they waited, and are not stranded");
    let waiting = &h.fleet.waiting;
    assert!(waiting.is_empty(), "{waiting:?}");
}

#[test]
fn users_for_whom_nobody_has_room_do_not_wait() {
    // Room for two more, at a saturated agent.
    let schedule = Schedule::constant(9, None, 60 * S);
    let mut h = Harness::with(3, 9, |config| config.schedule = schedule).run(3, 4);
    Windows::of(2).tell(&mut h, BAD_SECONDS, true);
    let moved = assigned(&leaves(&mut h, 1));
    assert_eq!(moved.iter().map(|(session, slots)| (*session, slots.len())).collect::<Vec<_>>(), [(3, 4)]);
    assert_eq!(handed_over(&h, 0), Some((1, 2, 1)));
    assert_eq!(h.fleet.waiting.len(), 1);
}

#[test]
fn a_run_of_so_many_iterations_does_not_wait_for_users_whose_last_chance_has_gone() {
    let source = "version: 1\nname: T\ntarget: http://localhost\nload: { users: 4, iterations: 8 }\n\
                  users: { U: { tasks: { t: { get: / } } } }\n";
    let settings = plan::Settings::default();
    let bundle = plan::Bundle { file: "plan.yaml".into(), source: source.to_owned(), settings };
    let plan = bundle.compile().unwrap_or_else(|e| panic!("{e}"));
    let mut h = Harness::with(3, 4, |config| {
        config.schedule = Schedule::constant(4, None, 60 * S);
        config.iterations = plan.iterations;
    })
    .run(3, 2);
    Windows::of(2).tell(&mut h, BAD_SECONDS, true);
    // Of its users 0 and 3, one finds room at agent 3.
    assert_eq!(assigned(&leaves(&mut h, 1)), [(3, vec![0, 2])]);
    assert_eq!(h.fleet.waiting.keys().copied().collect::<Vec<_>>(), [Slot(3)]);
    leaves(&mut h, 2);
    assert!(h.fleet.waiting.is_empty(), "nobody will ever have room for it");
    let progress = [0, 2].map(|slot| Progress { slot: Slot(slot), iteration: 2, gave_up: false });
    let done = WindowReport { progress: progress.to_vec(), ..*window(1, 1, false) };
    let said = h.says(3, FromAgent::Window(Box::new(done)));
    let stops = |output: &&Output| matches!(output, Output::Send { message: ToAgent::Stop { .. }, .. });
    assert_eq!(said.iter().filter(stops).count(), 1, "{said:?}");
}
