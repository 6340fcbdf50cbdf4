//! The course of a figure in bounded memory.

use std::time::Duration;

/// Most points of a course: what a chart can show.
const MAX_POINTS: usize = 450;

/// Samples that stand together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the first of them was due, since T0.
    pub at: Duration,
    /// How many samples were due, with a value or without.
    pub due: u64,
    /// How many of them have a value.
    pub samples: u64,
    /// The mean of the values; 0 without one.
    pub mean: f64,
    /// The lowest of them.
    pub min: f64,
    /// The highest of them.
    pub max: f64,
}

/// The course of a figure: at most 450 points. When there are more, neighbours become one that keeps its lowest and
/// highest value, and stands for twice as many samples from then on.
#[derive(Clone, Debug)]
pub struct Course {
    points: Vec<Point>,
    /// Samples of a point.
    each: u64,
    last: Option<f64>,
}

impl Default for Course {
    fn default() -> Course {
        Course { points: Vec::new(), each: 1, last: None }
    }
}

impl Course {
    /// Adds a sample, or that there was none.
    pub(super) fn add(&mut self, at: Duration, value: Option<f64>) {
        self.last = value.or(self.last);
        let worth = value.unwrap_or_default();
        let samples = u64::from(value.is_some());
        let point = Point { at, due: 1, samples, mean: worth, min: worth, max: worth };
        match self.points.last_mut().filter(|last| last.due < self.each) {
            Some(last) => last.merge(&point),
            None => self.points.push(point),
        }
        if self.points.len() > MAX_POINTS {
            self.each *= 2;
            let halves = self.points.chunks(2).map(|pair| {
                let mut point = pair[0];
                pair[1..].iter().for_each(|other| point.merge(other));
                point
            });
            self.points = halves.collect();
        }
    }

    /// Its points in order of time.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The last value that there was.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// All of it as one point.
    pub fn whole(&self) -> Option<Point> {
        let (first, rest) = self.points.split_first()?;
        let mut whole = *first;
        for point in rest {
            whole.merge(point);
        }
        Some(whole)
    }
}

impl Point {
    fn merge(&mut self, other: &Point) {
        self.due += other.due;
        if other.samples == 0 {
            return;
        }
        if self.samples == 0 {
            (self.mean, self.min, self.max) = (other.mean, other.min, other.max);
        } else {
            let all = (self.samples + other.samples) as f64;
            let (own, others) = (self.samples as f64 / all, other.samples as f64 / all);
            // So that nothing overflows, and the mean of equals is their value.
            self.mean = if self.mean.total_cmp(&other.mean).is_eq() {
                self.mean
            } else {
                self.mean * own + other.mean * others
            };
            self.min = self.min.min(other.min);
            self.max = self.max.max(other.max);
        }
        self.samples += other.samples;
    }
}
