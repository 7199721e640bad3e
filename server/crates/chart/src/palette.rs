//! Which color a series gets.

use std::collections::BTreeMap;

/// How many colors there are before they repeat.
pub const COLORS: usize = 8;

/// The color of each key, as an index into [`crate::Theme::series`], in the order of `keys`.
///
/// A key (the labels of a series in their canonical text) prefers the color of its own hash, so a
/// series looks the same in every chart. When two keys of one chart prefer the same color, the one
/// with the smaller hash keeps it and the other takes the next free one; with more keys than colors,
/// the colors repeat evenly.
pub fn assign<K: AsRef<str>>(keys: &[K]) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> =
        keys.iter().enumerate().map(|(index, key)| (hash(key.as_ref()), index)).collect();
    order.sort_unstable();
    let mut uses = [0_usize; COLORS];
    let mut colors = vec![0; keys.len()];
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (hash, index) in order {
        let key = keys[index].as_ref();
        let color = *seen.entry(key).or_insert_with(|| {
            let color = least_used(&uses, (hash % COLORS as u64) as usize);
            uses[color] += 1;
            color
        });
        colors[index] = color;
    }
    colors
}

/// The key of a series from its labels in their order, without the metric's name: expressions that
/// keep the labels and change the name keep the color.
pub fn key<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut key = String::new();
    for (name, value) in labels {
        if name != "__name__" {
            key.push_str(name);
            key.push('=');
            key.push_str(value);
            key.push('\n');
        }
    }
    key
}

/// The first of the least used colors at or after `preferred`.
fn least_used(uses: &[usize; COLORS], preferred: usize) -> usize {
    let fewest = uses.iter().min().copied().unwrap_or(0);
    (0..COLORS)
        .map(|offset| (preferred + offset) % COLORS)
        .find(|color| uses[*color] == fewest)
        .unwrap_or(preferred)
}

/// FNV-1a, finished so that short similar keys differ in the low bits as well.
fn hash(key: &str) -> u64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_do_not_depend_on_the_order_of_series() {
        let forward = assign(&["checkout", "cart", "search", "payments"]);
        let mut backward = assign(&["payments", "search", "cart", "checkout"]);
        backward.reverse();
        assert_eq!(forward, backward);
    }

    #[test]
    fn eight_series_get_eight_colors() {
        let keys: Vec<String> = (0..8).map(|i| format!("host-{i}")).collect();
        let mut colors = assign(&keys);
        colors.sort_unstable();
        assert_eq!(colors, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn more_series_than_colors_repeat_evenly() {
        let keys: Vec<String> = (0..20).map(|i| format!("pod-{i}")).collect();
        let colors = assign(&keys);
        for color in 0..COLORS {
            let uses = colors.iter().filter(|c| **c == color).count();
            assert!((2..=3).contains(&uses), "color {color} is used {uses} times");
        }
    }

    #[test]
    fn a_single_series_keeps_the_color_of_its_hash() {
        let alone = assign(&["checkout"])[0];
        assert_eq!(alone, (hash("checkout") % 8) as usize);
    }

    #[test]
    fn equal_keys_share_a_color() {
        let colors = assign(&["a", "a"]);
        assert_eq!(colors[0], colors[1]);
    }
}
