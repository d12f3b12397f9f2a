//! The index over groups: lookup, removal and insertion by key.

use datafusion::arrow::array::{Array, BinaryArray};
use hashbrown::hash_table::Entry;

use super::chunk::Chunk;
use super::{Groups, RowLocation, meets, spread};

impl Groups {
    /// Removes the groups of these keys from the index.
    ///
    /// It makes several passes over the keys, one step of the lookup in each, so that the cache misses of many keys
    /// overlap. With millions of groups these misses are most of the cost.
    pub(super) fn remove_equal(&mut self, keys: &BinaryArray) -> Vec<RowLocation> {
        let hashes = (0..keys.len()).map(|row| self.hash(keys.value(row)));
        let hashes: Vec<u32> = hashes.collect();
        let likely = hashes.iter().map(|hash| {
            let same = |location: &RowLocation| location.hash == *hash;
            self.index.find(spread(*hash), same).copied()
        });
        let likely: Vec<Option<RowLocation>> = likely.collect();
        let equal = likely.iter().enumerate().map(|(row, location)| {
            location
                .is_some_and(|location| key_at(&self.chunks, &location) == Some(keys.value(row)))
        });
        let equal: Vec<bool> = equal.collect();
        let mut found = Vec::new();
        for (row, location) in likely.into_iter().enumerate() {
            let removed = match location {
                None => None,
                // Duplicate keys find nothing the second time.
                Some(location) if equal[row] => self.remove_at(location),
                Some(_) => self.remove(keys.value(row), |_, _| true),
            };
            found.extend(removed);
        }
        found
    }

    /// Removes from the index the sessions of these keys that overlap the bounds given with the key.
    pub(super) fn remove_met(
        &mut self,
        keys: &BinaryArray,
        bounds: impl Iterator<Item = (i64, i64)>,
    ) -> Vec<RowLocation> {
        let mut found = Vec::new();
        for (row, touched) in bounds.enumerate() {
            let met = |chunk: &Chunk, row: usize| {
                let bounds = chunk.bounds.as_ref();
                bounds.is_none_or(|(starts, ends)| meets((starts[row], ends[row]), touched))
            };
            while let Some(location) = self.remove(keys.value(row), met) {
                found.push(location);
            }
        }
        found
    }

    fn remove_at(&mut self, location: RowLocation) -> Option<RowLocation> {
        let same = |other: &RowLocation| *other == location;
        let entry = self.index.find_entry(spread(location.hash), same).ok()?;
        Some(entry.remove().0)
    }

    /// Removes one group that `key` finds and `wanted` accepts.
    fn remove(
        &mut self,
        key: &[u8],
        wanted: impl Fn(&Chunk, usize) -> bool,
    ) -> Option<RowLocation> {
        let hash = self.hash(key);
        let (layout, chunks) = (&self.layout, &self.chunks);
        let sought = layout.lookup_key(key);
        let same = |location: &RowLocation| {
            let chunk = chunks[location.chunk as usize].as_ref();
            let Some(chunk) = chunk.filter(|_| location.hash == hash) else {
                return false;
            };
            let row = location.row as usize;
            layout.lookup_key(chunk.columns.keys.value(row)) == sought && wanted(chunk, row)
        };
        let entry = self.index.find_entry(spread(hash), same).ok()?;
        Some(entry.remove().0)
    }

    /// Inserts a group that is known to be new.
    pub(super) fn insert(&mut self, chunk: u32, row: usize) {
        let location = self.location_of(chunk, row);
        self.index
            .insert_unique(spread(location.hash), location, |location| {
                spread(location.hash)
            });
    }

    /// Inserts a group; returns whether it was new.
    pub(super) fn insert_new(&mut self, chunk: u32, row: usize) -> bool {
        let location = self.location_of(chunk, row);
        let chunks = &self.chunks;
        let key = key_at(chunks, &location);
        let same =
            |other: &RowLocation| other.hash == location.hash && key_at(chunks, other) == key;
        let entry = self.index.entry(spread(location.hash), same, |location| {
            spread(location.hash)
        });
        match entry {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(location);
                true
            }
        }
    }

    fn location_of(&self, chunk: u32, row: usize) -> RowLocation {
        RowLocation {
            hash: self.hash(self.chunk(chunk).columns.keys.value(row)),
            chunk,
            row: row as u32,
        }
    }
}

fn key_at<'a>(chunks: &'a [Option<Chunk>], location: &RowLocation) -> Option<&'a [u8]> {
    let chunk = chunks[location.chunk as usize].as_ref()?;
    Some(chunk.columns.keys.value(location.row as usize))
}
