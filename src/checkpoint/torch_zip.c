/* Zip archives: what torch.save and numpy.savez write. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/finder.h"

static const sft_zip_entry *find(const sft_zip *zip, const char *name) {
    return sft_zip_find(zip, name, strlen(name));
}

/* ---- storages of a torch archive ---- */

static sft_status missing(sft_store *store, sft_status status, const char *why) {
    store->refused = status;
    store->why = why;
    return SFT_OK;
}

sft_status sft_zip_resolve(sft_scope *scope, sft_store *store) {
    sft_found *found = scope->finder->found;
    char name[256] = "data/";
    if (store->key_length > sizeof name - 8) {
        return missing(store, SFT_MISSING_STORAGE, "the name of its storage is too long");
    }
    memcpy(name + 5, store->key, store->key_length);
    const sft_zip_entry *entry = sft_zip_find(&found->zip, name, 5 + store->key_length);
    if (entry == NULL) {
        return missing(store, SFT_MISSING_STORAGE, "its storage is not in the archive");
    }
    uint64_t size;
    if (!sft_multiply(store->elements, store->item_size, &size) || size != entry->size) {
        return missing(store, SFT_STORAGE_SIZE,
                       "its storage has other than the bytes its elements need");
    }
    if (!entry->readable) {
        return missing(store, SFT_UNSUPPORTED_SOURCE,
                       "its storage is encrypted, or compressed in a way that is not known here");
    }
    sft_region region;
    sft_status status =
        sft_zip_region(&found->zip, entry, &found->sources, &region, scope->finder->error);
    if (status != SFT_OK) {
        return status;
    }
    store->size = size;
    return sft_finder_storage(scope->finder, &region, scope->big_endian, &store->storage);
}

/* ---- the archive ---- */

/* The member `byteorder` holds a word; without one storages are little-endian. */
static sft_status read_order(sft_finder *finder, bool *big_endian) {
    sft_found *found = finder->found;
    const sft_zip_entry *entry = find(&found->zip, "byteorder");
    char word[8];
    *big_endian = false;
    if (entry == NULL) {
        return SFT_OK;
    }
    if (!entry->readable || entry->size > sizeof word) {
        sft_fail(finder->error, SFT_MALFORMED_SOURCE, entry->record,
                 "the member byteorder says neither little nor big");
        return SFT_MALFORMED_SOURCE;
    }
    sft_region region;
    sft_status status = sft_zip_region(&found->zip, entry, &found->sources, &region, finder->error);
    if (status == SFT_OK) {
        status = sft_region_read(&region, 0, word, region.size, finder->error);
    }
    if (status != SFT_OK) {
        return status;
    }
    *big_endian = region.size == 3 && memcmp(word, "big", 3) == 0;
    if (*big_endian || (region.size == 6 && memcmp(word, "little", 6) == 0)) {
        return SFT_OK;
    }
    sft_fail(finder->error, SFT_MALFORMED_SOURCE, entry->record,
             "the member byteorder says neither little nor big");
    return SFT_MALFORMED_SOURCE;
}

static sft_status find_torch(sft_finder *finder, const sft_zip_entry *entry) {
    sft_found *found = finder->found;
    sft_region region;
    bool big_endian;
    if (!entry->readable) {
        sft_fail(finder->error, SFT_UNSUPPORTED_SOURCE, entry->record,
                 "data.pkl is encrypted, or compressed in a way that is not known here");
        return SFT_UNSUPPORTED_SOURCE;
    }
    sft_status status = read_order(finder, &big_endian);
    if (status == SFT_OK) {
        status = sft_zip_region(&found->zip, entry, &found->sources, &region, finder->error);
    }
    if (status != SFT_OK) {
        return status;
    }
    sft_scope scope;
    sft_scope_init(&scope, finder, &region, SFT_IDS_ZIP);
    scope.big_endian = big_endian;
    scope.torchscript = found->format == SFT_FORMAT_TORCHSCRIPT;
    status = sft_scope_read(&scope, 0);
    if (status == SFT_OK) {
        status = sft_find_leaves(&scope);
    }
    sft_scope_free(&scope);
    return status;
}

/* ---- archives of arrays ---- */

static bool is_npy(const sft_zip_entry *entry) {
    return entry->name_length > 4 && memcmp(entry->name + entry->name_length - 4, ".npy", 4) == 0;
}

static sft_status find_arrays(sft_finder *finder) {
    sft_found *found = finder->found;
    for (uint64_t i = 0; i < found->zip.count; i++) {
        const sft_zip_entry *entry = &found->zip.entries[i];
        if (entry->folder) {
            continue;
        }
        sft_region region;
        sft_status status =
            sft_zip_region(&found->zip, entry, &found->sources, &region, finder->error);
        if (status == SFT_OK) {
            status = sft_find_npy(finder, &region, entry->name, entry->name_length - 4);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

static bool has_code(const sft_zip *zip) {
    if (find(zip, "constants.pkl") != NULL) {
        return true;
    }
    const char *root;
    size_t length;
    sft_zip_root(zip, &root, &length);
    for (uint64_t i = 0; i < zip->count; i++) {
        const sft_zip_entry *entry = &zip->entries[i];
        size_t skipped = length > 0 ? length + 1 : 0;
        if (entry->name_length > skipped + 5 && memcmp(entry->name + skipped, "code/", 5) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_npz(const sft_zip *zip) {
    bool any = false;
    for (uint64_t i = 0; i < zip->count; i++) {
        if (!zip->entries[i].folder && !is_npy(&zip->entries[i])) {
            return false;
        }
        any = any || !zip->entries[i].folder;
    }
    return any;
}

sft_status sft_find_zip(sft_finder *finder, const sft_region *region) {
    sft_found *found = finder->found;
    sft_zip_options options = {.allocator = &finder->allocator,
                               .entries = finder->options->entries,
                               .memory = finder->options->memory};
    found->has_zip = true;
    sft_status status = sft_zip_open(&found->zip, region, &options, finder->error);
    if (status != SFT_OK) {
        return status;
    }
    const sft_zip_entry *pickle = find(&found->zip, "data.pkl");
    if (pickle != NULL) {
        found->torch = true;
        found->format = has_code(&found->zip) ? SFT_FORMAT_TORCHSCRIPT : SFT_FORMAT_TORCH_ZIP;
        return find_torch(finder, pickle);
    }
    if (is_npz(&found->zip)) {
        found->format = SFT_FORMAT_NPZ;
        return find_arrays(finder);
    }
    sft_fail(finder->error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
             "a zip archive that neither torch.save nor numpy.savez made");
    return SFT_UNSUPPORTED_SOURCE;
}
