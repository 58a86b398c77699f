//! Records by number, in pages that snapshots share.

use std::sync::Arc;

const PAGE: usize = 256;

/// Records by number. Cloning copies one pointer a page; changing a record copies its page if another
/// snapshot still holds it.
pub(super) struct Pages<T> {
    pages: Vec<Option<Arc<Vec<Option<T>>>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { pages: Vec::new(), len: 0 }
    }
}

impl<T> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Pages { pages: self.pages.clone(), len: self.len }
    }
}

impl<T: Clone> Pages<T> {
    pub(super) fn get(&self, no: u32) -> Option<&T> {
        let no = no as usize;
        self.pages.get(no / PAGE)?.as_ref()?.get(no % PAGE)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, no: u32) -> Option<&mut T> {
        let no = no as usize;
        let page = self.pages.get_mut(no / PAGE)?.as_mut()?;
        if page.get(no % PAGE)?.is_none() {
            return None; // nothing to change, so nothing to copy
        }
        Arc::make_mut(page).get_mut(no % PAGE)?.as_mut()
    }

    pub(super) fn set(&mut self, no: u32, record: Option<T>) {
        let no = no as usize;
        if self.pages.len() <= no / PAGE {
            self.pages.resize(no / PAGE + 1, None);
        }
        let page = self.pages[no / PAGE].get_or_insert_with(|| Arc::new(vec![None; PAGE]));
        let slot = &mut Arc::make_mut(page)[no % PAGE];
        self.len = self.len + usize::from(record.is_some()) - usize::from(slot.is_some());
        *slot = record;
    }

    /// All records, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten().flat_map(|page| page.iter()).flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_snapshot_does_not_see_a_change() {
        let mut first = Pages::default();
        first.set(7, Some("seven"));
        first.set(9_000, Some("far"));
        let mut second = first.clone();
        second.set(7, None);
        *second.get_mut(9_000).unwrap() = "farther";
        assert_eq!((first.get(7), first.get(9_000), first.len()), (Some(&"seven"), Some(&"far"), 2));
        assert_eq!((second.get(7), second.get(9_000), second.len()), (None, Some(&"farther"), 1));
        assert_eq!(second.get(u32::MAX), None);
    }
}
