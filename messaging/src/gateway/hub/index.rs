//! Maps in shards: who looks something up in one shard does not wait for the others.
//!
//! Invariant: a shard's lock is held for one look-up or one change, and nothing else is locked
//! meanwhile by its holder, except where `with` says so.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::person::Person;

const SHARDS: u64 = 64;

#[derive(Debug)]
pub(super) struct Sharded<K, V> {
    shards: Vec<RwLock<HashMap<K, V>>>,
    hasher: RandomState,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

// A panic while holding a lock leaves at worst one entry out of date.
impl<K: Hash + Eq, V> Sharded<K, V> {
    fn shard(&self, key: &K) -> &RwLock<HashMap<K, V>> {
        let place = self.hasher.hash_one(key) % SHARDS;
        let place = usize::try_from(place).expect("64 shards");
        self.shards.get(place).expect("64 shards")
    }

    pub(super) fn read(&self, key: &K) -> RwLockReadGuard<'_, HashMap<K, V>> {
        self.shard(key)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, key: &K) -> RwLockWriteGuard<'_, HashMap<K, V>> {
        self.shard(key)
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.read(key).get(key).cloned()
    }

    /// All values, one shard after the other.
    pub(super) fn values(&self) -> Vec<V>
    where
        V: Clone,
    {
        let mut values = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            values.extend(shard.values().cloned());
        }
        values
    }
}

/// Somebody in a circle: the same person is the same entry in memory.
#[derive(Debug, Clone)]
struct Member(Arc<Person>);

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Member {}

impl Hash for Member {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Who of the people here is in which room, or in which team.
#[derive(Debug)]
pub(super) struct Circles<K>(Sharded<K, HashSet<Member>>);

impl<K> Default for Circles<K> {
    fn default() -> Self {
        Self(Sharded::default())
    }
}

impl<K: Hash + Eq + Clone> Circles<K> {
    pub(super) fn add(&self, circle: &K, person: &Arc<Person>) {
        let mut circles = self.0.write(circle);
        let member = Member(person.clone());
        if let Some(members) = circles.get_mut(circle) {
            members.insert(member);
        } else {
            circles.insert(circle.clone(), HashSet::from([member]));
        }
    }

    pub(super) fn remove(&self, circle: &K, person: &Arc<Person>) {
        let mut circles = self.0.write(circle);
        if let Some(members) = circles.get_mut(circle) {
            members.remove(&Member(person.clone()));
            if members.is_empty() {
                circles.remove(circle);
            }
        }
    }

    /// Those who are in the circle just now.
    pub(super) fn members(&self, circle: &K) -> Vec<Arc<Person>> {
        let circles = self.0.read(circle);
        let members = circles.get(circle).into_iter().flatten();
        members.map(|member| member.0.clone()).collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().is_empty()
    }
}
