//! Several nodes on one database: who they are, what each reads of the others, and how they wake each
//! other.

use std::{collections::BTreeMap, time::Duration};

use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{
    Lease, Samples,
    error::{Attempt, DbError},
    salvage,
    samples::{BlockRow, FrameRow, block_of, frames_of},
    sql::{Engine, Transaction, query},
};

/// Where nodes say that they wrote something.
const CHANNEL: &str = "bellwether_samples";

/// The most nodes that a database can ever have had: a number has 16 bits in the key of a block.
const MAX_NODES: i64 = 1 << 16;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A node that ever wrote to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its number, which its frames and blocks carry.
    pub number: u64,
    /// Its name; empty for a server that has none.
    pub name: String,
    /// Whether it has frames that are not sealed.
    pub has_frames: bool,
    /// The newest sample of its oldest block; `None` without blocks.
    pub oldest_block: Option<i64>,
}

/// What is new on other nodes, all of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewsRow {
    /// Frames with their nodes, ascending for each node.
    pub frames: Vec<(u64, FrameRow)>,
    /// There are more frames; what follows is empty then.
    pub has_more: bool,
    /// The oldest frame of each node that has one.
    pub oldest_frames: BTreeMap<u64, u64>,
    /// All blocks, ascending.
    pub blocks: Vec<u64>,
    /// Those that were not known, with their nodes.
    pub new_blocks: Vec<(u64, BlockRow)>,
}

/// Hears of what other nodes wrote.
#[derive(Debug)]
pub struct News {
    listener: PgListener,
    /// How this node signs what it says.
    own: String,
}

impl News {
    /// Waits until a node wrote something; several times may be told as one. After an error the connection
    /// is made anew by the next call; what was said meanwhile is lost, so look at the database too.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn changed(&mut self) -> Result<(), DbError> {
        while self.listener.recv().await.attempt("listen to other nodes")?.payload() == self.own {}
        while self.listener.next_buffered().is_some() {}
        Ok(())
    }
}

impl Samples {
    /// The number of the node with this name, which it keeps for good.
    ///
    /// # Errors
    /// When the commit failed, or there were too many nodes.
    pub async fn node_number(&self, name: &str) -> Result<u64, DbError> {
        const ACTION: &str = "register the node";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        if self.pools.write.engine() == Engine::Postgres {
            query("lock table node in exclusive mode").execute(&mut tx).await.attempt(ACTION)?;
        }
        let known = query("select number from node where name = $1")
            .bind(name)
            .fetch_optional(&mut tx)
            .await
            .attempt(ACTION)?;
        if let Some(row) = known {
            return Ok(row.get(0));
        }
        let row = query(
            "insert into node (number, name)
             select max(number) + 1, $1
               from node
             having max(number) + 1 < $2
             returning number",
        )
        .bind(name)
        .bind(MAX_NODES)
        .fetch_optional(&mut tx)
        .await
        .attempt(ACTION)?;
        let Some(row) = row else { return Err(DbError::TooManyNodes) };
        tx.commit().await.attempt(ACTION)?;
        Ok(row.get(0))
    }

    /// The same database as another node. Each write checks that `lease` is held.
    #[must_use]
    pub fn as_node(&self, number: u64, lease: Lease) -> Self {
        Self { node: number, lease: Some(lease), ..self.clone() }
    }

    /// All nodes that ever wrote, by number.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, DbError> {
        let rows = query(
            "select number, name,
                    exists (select 1 from frame where frame.node = number),
                    (select min(max_time) from block where block.node = number)
               from node
              order by number",
        )
        .fetch_all(&self.pools.read)
        .await
        .attempt("read the nodes")?;
        Ok(rows
            .iter()
            .map(|row| NodeRow {
                number: row.get(0),
                name: row.get(1),
                has_frames: row.get(2),
                oldest_block: row.get(3),
            })
            .collect())
    }

    /// The newest frame of this node that was ever deleted; 0 without one.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn last_deleted_frame(&self) -> Result<u64, DbError> {
        let row = query("select deleted_frame from node where number = $1")
            .bind(self.node)
            .fetch_optional(&self.pools.read)
            .await;
        if salvage::is_worthwhile(&self.pools.read, &row) {
            // Only other nodes need it, and a file has none.
            return Ok(0);
        }
        let row = row.attempt("read the last deleted frame")?;
        Ok(row.map_or(0, |row| row.get(0)))
    }

    /// What other nodes have beyond the last frames and the blocks known, with at most `limit` frames.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn news(
        &self,
        frames_known: &BTreeMap<u64, u64>,
        blocks_known: &[u64],
        limit: u32,
    ) -> Result<NewsRow, DbError> {
        const ACTION: &str = "read what other nodes wrote";
        let mut tx = self.pools.read.begin().await.attempt(ACTION)?;
        if self.pools.read.engine() == Engine::Postgres {
            let snapshot = "set transaction isolation level repeatable read, read only";
            query(snapshot).execute(&mut tx).await.attempt(ACTION)?;
        }
        let mut news = NewsRow::default();
        self.new_frames(&mut tx, frames_known, limit, &mut news).await.attempt(ACTION)?;
        if !news.has_more {
            self.new_blocks(&mut tx, blocks_known, &mut news).await.attempt(ACTION)?;
        }
        Ok(news)
    }

    async fn new_frames(
        &self,
        tx: &mut Transaction,
        known: &BTreeMap<u64, u64>,
        limit: u32,
        news: &mut NewsRow,
    ) -> Result<(), sqlx::Error> {
        let ranges = query(
            "select node, min(seq), max(seq)
               from frame
              where node <> $1
              group by node",
        );
        for range in ranges.bind(self.node).fetch_all(&mut *tx).await? {
            let (node, oldest, newest): (u64, u64, u64) =
                (range.get(0), range.get(1), range.get(2));
            news.oldest_frames.insert(node, oldest);
            let after = known.get(&node).copied().unwrap_or(0);
            if newest <= after {
                continue;
            }
            let frames = frames_of(&mut *tx, node, after, limit).await?;
            news.has_more |= frames.len() >= limit as usize;
            news.frames.extend(frames.into_iter().map(|frame| (node, frame)));
        }
        Ok(())
    }

    async fn new_blocks(
        &self,
        tx: &mut Transaction,
        known: &[u64],
        news: &mut NewsRow,
    ) -> Result<(), sqlx::Error> {
        let ids = query("select id, node from block where node <> $1 order by id");
        for row in ids.bind(self.node).fetch_all(&mut *tx).await? {
            let (id, node): (u64, u64) = (row.get(0), row.get(1));
            news.blocks.push(id);
            if known.binary_search(&id).is_ok() {
                continue;
            }
            let block = query(
                "select id, level, min_time, max_time, series, samples, page_bytes, toc
                   from block
                  where id = $1",
            );
            let block = block.bind(id).fetch_one(&mut *tx).await?;
            news.new_blocks.push((node, block_of(&block)));
        }
        Ok(())
    }

    /// Listens to what other nodes write; `None` where there are none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn listen(&self) -> Result<Option<News>, DbError> {
        const ACTION: &str = "listen to other nodes";
        let Some(address) = &self.address else { return Ok(None) };
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(address.session());
        let mut listener = PgListener::connect_with(&pool).await.attempt(ACTION)?;
        listener.listen(CHANNEL).await.attempt(ACTION)?;
        Ok(Some(News { listener, own: self.node.to_string() }))
    }

    /// Tells the other nodes, when the transaction is committed, that there is something new.
    pub(crate) async fn announce(&self, tx: &mut Transaction) -> Result<(), sqlx::Error> {
        if self.pools.write.engine() == Engine::Postgres {
            let say = query("select pg_notify($1, $2)").bind(CHANNEL);
            say.bind(self.node.to_string()).fetch_all(tx).await?;
        }
        Ok(())
    }
}
