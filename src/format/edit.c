/* What the metadata says after some changes. */
#include "format/edit.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "format/encode.h"

static bool add_entry(sft_edit *edit, const sft_metadata_entry *entry) {
    void *items = edit->entries;
    bool fits =
        sft_grow(&edit->allocator, &items, &edit->capacity, edit->count, sizeof *edit->entries);
    edit->entries = items;
    if (!fits) {
        return false;
    }
    edit->entries[edit->count] = (sft_edit_entry){*entry, false};
    if (sft_names_add(&edit->names, edit->entries, sizeof *edit->entries, edit->count) !=
        SFT_NAMES_ADDED) {
        return false;
    }
    edit->count++;
    return true;
}

static sft_status apply(sft_edit *edit, const sft_metadata_change *change, sft_error *error) {
    sft_status status =
        sft_encode_check_text(change->key, change->key_length, "the metadata key", error);
    if (status == SFT_OK && change->value != NULL) {
        status =
            sft_encode_check_text(change->value, change->value_length, "the metadata value", error);
    }
    if (status != SFT_OK) {
        return status;
    }
    const sft_metadata_entry entry = {change->key, change->key_length, change->value,
                                      change->value_length};
    uint64_t at = sft_names_find(&edit->names, edit->entries, sizeof *edit->entries, change->key,
                                 change->key_length);
    bool present = at != UINT64_MAX && !edit->entries[at].removed;
    if (change->value == NULL) {
        if (!present) {
            return sft_fail(error, SFT_NOT_FOUND, SFT_NO_BYTE, "the metadata has no key \"%s\"",
                            sft_show(change->key, change->key_length).text);
        }
        edit->entries[at].removed = true;
        return SFT_OK;
    }
    if (at != UINT64_MAX) {
        edit->entries[at] = (sft_edit_entry){entry, false};
        return SFT_OK;
    }
    return add_entry(edit, &entry) ? SFT_OK : sft_fail_memory(error);
}

static int compare_keys(const sft_metadata_entry *a, const sft_metadata_entry *b) {
    return sft_sort_bytes(a->key, a->key_length, b->key, b->key_length);
}

static bool entry_after(const void *things, uint32_t a, uint32_t b) {
    const sft_edit_entry *entries = things;
    return compare_keys(&entries[a].entry, &entries[b].entry) > 0;
}

static bool is_sorted(const sft_header *header) {
    for (uint64_t i = 1; i < sft_header_metadata_count(header); i++) {
        if (compare_keys(sft_header_metadata_at(header, i - 1), sft_header_metadata_at(header, i)) >
            0) {
            return false;
        }
    }
    return true;
}

static bool equal_bytes(const char *a, size_t a_length, const char *b, size_t b_length) {
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static bool says_the_same(const sft_edit *edit, const sft_header *header) {
    if (edit->left_count != sft_header_metadata_count(header)) {
        return false;
    }
    for (uint64_t i = 0; i < edit->left_count; i++) {
        const sft_metadata_entry *a = edit->left[i];
        const sft_metadata_entry *b = sft_header_metadata_at(header, i);
        if (!equal_bytes(a->key, a->key_length, b->key, b->key_length) ||
            !equal_bytes(a->value, a->value_length, b->value, b->value_length)) {
            return false;
        }
    }
    return true;
}

/* Collects what is left, sorted if it was sorted before. */
static bool collect(sft_edit *edit, const sft_header *header) {
    edit->left = sft_allocate_zeroed(&edit->allocator, edit->count, sizeof *edit->left);
    if (edit->left == NULL) {
        return false;
    }
    uint32_t *order = NULL;
    if (is_sorted(header)) {
        order = sft_sort(edit->entries, (uint32_t)edit->count, entry_after, &edit->allocator);
        if (order == NULL) {
            return false;
        }
    }
    for (uint64_t i = 0; i < edit->count; i++) {
        const sft_edit_entry *entry = &edit->entries[order != NULL ? order[i] : i];
        if (!entry->removed) {
            edit->left[edit->left_count++] = &entry->entry;
        }
    }
    sft_release(&edit->allocator, order, edit->count * sizeof *order);
    edit->same = says_the_same(edit, header);
    return true;
}

sft_status sft_edit_apply(sft_edit *edit, const sft_header *header,
                          const sft_metadata_change *changes, uint64_t count,
                          const uint64_t seed[2], const sft_allocator *allocator,
                          sft_error *error) {
    *edit = (sft_edit){.allocator = *allocator};
    sft_names_init(&edit->names, allocator, seed);
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < sft_header_metadata_count(header) && status == SFT_OK; i++) {
        status =
            add_entry(edit, sft_header_metadata_at(header, i)) ? SFT_OK : sft_fail_memory(error);
    }
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        status = apply(edit, &changes[i], error);
    }
    if (status == SFT_OK && !collect(edit, header)) {
        status = sft_fail_memory(error);
    }
    if (status != SFT_OK) {
        sft_edit_free(edit);
    }
    return status;
}

void sft_edit_free(sft_edit *edit) {
    sft_release(&edit->allocator, edit->left, edit->count * sizeof *edit->left);
    sft_release(&edit->allocator, edit->entries, edit->capacity * sizeof *edit->entries);
    sft_names_free(&edit->names);
    edit->left = NULL;
    edit->entries = NULL;
}
