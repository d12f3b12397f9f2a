//! Finds the column of a key.

/// The most distinct keys of one object that are remembered. Objects used as maps have new keys in each document.
const MAX_REMEMBERED: usize = 256;

/// The fields that an object may have. Names match exactly, or else ignoring ASCII case, because SQL turns names
/// without quotes into lower case.
#[derive(Debug)]
pub(super) struct Keys {
    names: Vec<String>,
    /// The names of fields that are not decoded. A key with such a name belongs to no other field.
    others: Vec<String>,
    /// The keys seen so far, in the order of the first document. Producers usually write the same keys in the
    /// same order, so the next key is compared with one remembered key instead of all names.
    remembered: Vec<(Box<str>, Option<Match>)>,
}

/// The field that a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) field: usize,
    pub(super) is_exact: bool,
}

impl Keys {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            names: names.into_iter().map(str::to_owned).collect(),
            others: Vec::new(),
            remembered: Vec::new(),
        }
    }

    /// Adds the names of fields that are not decoded.
    pub(super) fn with_others<'a>(mut self, names: impl Iterator<Item = &'a str>) -> Self {
        self.others.extend(names.map(str::to_owned));
        self
    }

    pub(super) fn name(&self, field: usize) -> &str {
        &self.names[field]
    }

    /// The field of `key`. `next` is where the object's next key probably is in the remembered ones; it starts at
    /// 0 for each object.
    pub(super) fn find(&mut self, key: &str, next: &mut usize) -> Option<Match> {
        if let Some((remembered, found)) = self.remembered.get(*next)
            && **remembered == *key
        {
            *next += 1;
            return *found;
        }
        let mut keys = self.remembered.iter();
        if let Some(index) = keys.position(|(remembered, _)| **remembered == *key) {
            *next = index + 1;
            return self.remembered[index].1;
        }
        let found = self.search(key);
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.push((key.into(), found));
            *next = self.remembered.len();
        }
        found
    }

    fn search(&self, key: &str) -> Option<Match> {
        let exact = self.names.iter().position(|name| name == key);
        let same = || {
            let mut names = self.names.iter();
            let same = names.position(|name| name.eq_ignore_ascii_case(key));
            same.filter(|_| !self.others.iter().any(|name| name == key))
        };
        let field = exact.or_else(same)?;
        Some(Match {
            field,
            is_exact: exact.is_some(),
        })
    }
}
