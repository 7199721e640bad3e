//! The greatest and least values of windows, by a monotone queue: every sample enters and leaves it
//! once, however many windows see it.

use std::collections::VecDeque;

use super::{Job, RangeFunction};
use crate::eval::Values;

pub(super) fn extremes(job: &Job<'_>, function: RangeFunction, out: &mut Values) {
    use RangeFunction as F;
    let greatest = matches!(function, F::MaxOverTime | F::TsOfMaxOverTime);
    let gives_time = matches!(function, F::TsOfMaxOverTime | F::TsOfMinOverTime);
    let (values, times) = (&job.column.floats, &job.column.float_times);
    if job.windows.len() == 1 && !gives_time {
        job.each_float_window(out, &mut |_, window| {
            job.floats(window).iter().copied().fold(f64::NAN, |kept, value| {
                if greatest { kept.max(value) } else { kept.min(value) }
            })
        });
        return;
    }
    let mut queue: VecDeque<usize> = VecDeque::new();
    let mut entered = 0;
    job.each_float_window(out, &mut |_, window| {
        let (low, high) = window.floats;
        entered = entered.max(low);
        while entered < high {
            let value = values[entered];
            if !value.is_nan() {
                // Of equal values the first is kept for the value, the last for the time of it.
                while let Some(back) = queue.back() {
                    let last = values[*back];
                    let is_beaten = if greatest { value > last } else { value < last };
                    if is_beaten || (gives_time && value == last) {
                        queue.pop_back();
                    } else {
                        break;
                    }
                }
                queue.push_back(entered);
            }
            entered += 1;
        }
        while queue.front().is_some_and(|front| *front < low) {
            queue.pop_front();
        }
        match queue.front() {
            Some(front) if gives_time => times[*front] as f64 / 1000.0,
            Some(front) => values[*front],
            // Nothing but NaN: the value is NaN, the time that of the last one.
            None if gives_time => times[high - 1] as f64 / 1000.0,
            None => f64::NAN,
        }
    });
}
