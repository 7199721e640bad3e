//! Aggregations and operators by name.

use super::ValueType;

macro_rules! named {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$doc])* $variant,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

named! {
    /// The aggregations.
    AggregateOp {
        /// The sum.
        Sum = "sum",
        /// The mean.
        Avg = "avg",
        /// The number of series.
        Count = "count",
        /// The least.
        Min = "min",
        /// The greatest.
        Max = "max",
        /// 1 for every group.
        Group = "group",
        /// The standard deviation.
        Stddev = "stddev",
        /// The variance.
        Stdvar = "stdvar",
        /// The series with the greatest values.
        Topk = "topk",
        /// The series with the least values.
        Bottomk = "bottomk",
        /// A quantile over the series.
        Quantile = "quantile",
        /// How many series have each value.
        CountValues = "count_values",
        /// Some series.
        Limitk = "limitk",
        /// A share of the series.
        LimitRatio = "limit_ratio",
    }
}

impl AggregateOp {
    /// The type of the first argument, for those that take two.
    pub fn param_type(self) -> Option<ValueType> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile | Self::Limitk | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::Text),
            _ => None,
        }
    }

    /// Whether Prometheus has it only with its flag for experimental functions.
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
}

named! {
    /// The operators between two expressions.
    BinaryOp {
        /// Addition.
        Add = "+",
        /// Subtraction.
        Subtract = "-",
        /// Multiplication.
        Multiply = "*",
        /// Division.
        Divide = "/",
        /// The remainder with the sign of the dividend.
        Modulo = "%",
        /// Power.
        Power = "^",
        /// The angle of a point.
        Atan2 = "atan2",
        /// Equal.
        Equal = "==",
        /// Not equal.
        NotEqual = "!=",
        /// Greater.
        Greater = ">",
        /// Less.
        Less = "<",
        /// Greater or equal.
        GreaterEqual = ">=",
        /// Less or equal.
        LessEqual = "<=",
        /// What is below a value in a histogram.
        TrimUpper = "</",
        /// What is above a value in a histogram.
        TrimLower = ">/",
        /// What has a match on the right.
        And = "and",
        /// The left and what of the right has no match there.
        Or = "or",
        /// What has no match on the right.
        Unless = "unless",
    }
}

impl BinaryOp {
    /// Whether it is `and`, `or` or `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterEqual
                | Self::LessEqual
        )
    }

    /// Whether it cuts histograms.
    pub fn is_trim(self) -> bool {
        matches!(self, Self::TrimLower | Self::TrimUpper)
    }

    /// Whether the result is another quantity, which loses the metric's name.
    pub fn changes_quantity(self) -> bool {
        !(self.is_set() || self.is_comparison() || self.is_trim())
    }

    /// The higher, the tighter it binds.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            _ if self.is_comparison() || self.is_trim() => 3,
            Self::Add | Self::Subtract => 4,
            Self::Power => 6,
            _ => 5,
        }
    }
}
