//! Parts that several pages use.

pub(crate) mod alert_table;
pub(crate) mod blocks;
pub(crate) mod check_table;
pub(crate) mod delayed;
pub(crate) mod dropdown;
pub(crate) mod empty;
pub(crate) mod host_table;
pub(crate) mod link;
pub(crate) mod list_tools;
pub(crate) mod loaded;
pub(crate) mod mark;
pub(crate) mod monitor_table;
pub(crate) mod page_head;
pub(crate) mod palette;
pub(crate) mod service_table;
pub(crate) mod sort;
pub(crate) mod sparkline;
pub(crate) mod theme_switch;
pub(crate) mod time_range;
pub(crate) mod uptime_bars;
