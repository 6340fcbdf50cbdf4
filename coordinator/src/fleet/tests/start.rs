//! When a run begins.

use super::*;

#[test]
fn t0_is_further_ahead_where_streams_are_slow_and_the_skew_is_bounded() {
    let ms = Duration::from_millis;
    let check = |errors: [Option<Duration>; 3], ahead: Duration, skew: Option<Duration>| {
        let mut h = Harness::new(3, 3);
        for session in 1..=3 {
            h.attach(session, &format!("a{session}"));
        }
        for session in 1..=3 {
            h.ready(session);
        }
        let mut said = Vec::new();
        for (session, clock_error) in (1..).zip(errors) {
            said = h.says(session, FromAgent::AssignAck { run: id("r"), revision: 1, clock_error });
        }
        let start = ToAgent::Start { run: id("r"), after: ahead, t0: ahead };
        assert_eq!(said[0], send(1, start));
        assert_eq!(h.fleet.start_skew, skew);
    };
    check([Some(ms(1)), Some(ms(3)), Some(ms(2))], START_AHEAD, Some(ms(6)));
    check([Some(ms(1)), Some(ms(100)), Some(ms(200))], ms(800), Some(ms(400)));
    check([Some(ms(1)), None, Some(ms(2))], START_AHEAD, None);
    check([Some(ms(1)), Some(ms(5)), Some(86_400 * S)], LONGEST_START_AHEAD, Some(2 * 86_400 * S));
}
