//! How the memory and the descriptors of a process went over a run.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Vitals, mib};

/// What was seen, in order.
pub(super) struct Curve(Vec<Point>);

struct Point {
    /// Hours since the beginning.
    at: f64,
    mib: f64,
    descriptors: usize,
}

impl Curve {
    /// Looks every so often until it is time.
    pub(super) async fn watch(vitals: Vitals, every: Duration, until: Instant) -> Result<Self> {
        let began = Instant::now();
        let mut points = Vec::new();
        while Instant::now() < until {
            let at = began.elapsed().as_secs_f64() / 3600.0;
            let (mib, descriptors) = (mib(vitals.resident()? * 1024), vitals.descriptors()?);
            points.push(Point { at, mib, descriptors });
            tokio::time::sleep(every).await;
        }
        Ok(Self(points))
    }

    /// Mean memory of one quarter of the run, in MiB; the first is 1.
    pub(super) fn quarter(&self, number: usize) -> f64 {
        let part = |number: usize| self.0.len() * number / 4;
        mean(self.0[part(number - 1)..part(number)].iter().map(|point| point.mib))
    }

    /// By how many MiB an hour memory grew from the second quarter on, by least squares.
    pub(super) fn slope(&self) -> f64 {
        let late = &self.0[self.0.len() / 4..];
        let at = mean(late.iter().map(|point| point.at));
        let mib = mean(late.iter().map(|point| point.mib));
        let by = |point: &Point| (point.at - at) * (point.mib - mib);
        let over = |point: &Point| (point.at - at).powi(2);
        late.iter().map(by).sum::<f64>() / late.iter().map(over).sum::<f64>()
    }

    pub(super) fn most_descriptors(&self) -> usize {
        self.0.iter().map(|point| point.descriptors).max().unwrap_or_default()
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.sum::<f64>() / f64::from(count)
}
