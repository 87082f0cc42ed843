-- Room in the file that nothing stands in any more.

-- name: count_free_pages
-- How many pages of the file are free, and how large a page is.
SELECT freelist_count, page_size FROM pragma_freelist_count, pragma_page_size;

-- name: cut_free_pages
-- Give back some of the free pages; a row for each.
PRAGMA incremental_vacuum(500);
