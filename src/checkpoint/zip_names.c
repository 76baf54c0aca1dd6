/* The names of the files in an archive: what is odd about them, and how they are found. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/text.h"
#include "base/utf8.h"
#include "checkpoint/zip_parts.h"
#include "io/os.h"

/* A name in parts, as it is looked up: with ASCII letters in lower case, or as it is. */
typedef struct hasher {
    uint64_t seed[2];
    bool fold;
    size_t used;
    char bytes[128];
} hasher;

static void hash_piece(hasher *of) {
    of->seed[0] ^= sft_siphash(of->seed, of->bytes, of->used);
    of->used = 0;
}

static void hash_add(hasher *of, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (of->used == sizeof of->bytes) {
            hash_piece(of);
        }
        of->bytes[of->used++] = of->fold ? sft_lower(text[i]) : text[i];
    }
}

static uint32_t hash_end(hasher *of) {
    hash_piece(of);
    return (uint32_t)of->seed[0];
}

static bool same(const char *a, const char *b, size_t length, bool fold) {
    if (!fold) {
        return length == 0 || memcmp(a, b, length) == 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (sft_lower(a[i]) != sft_lower(b[i])) {
            return false;
        }
    }
    return true;
}

uint64_t sft_zip_index_capacity(uint64_t count) {
    uint64_t capacity = 16;
    while (count > capacity / 3 * 2) {
        capacity *= 2;
    }
    return capacity;
}

/* The number of the entry of that name, which is entered if there is none. */
static uint64_t enter(sft_zip *zip, uint64_t number, bool fold) {
    const sft_zip_entry *entry = &zip->entries[number];
    hasher of = {.seed = {zip->seed[0], zip->seed[1]}, .fold = fold, .used = 0};
    hash_add(&of, entry->name, entry->name_length);
    uint32_t hash = hash_end(&of);
    uint64_t at = hash & (zip->capacity - 1);
    for (; zip->slots[at] != 0; at = (at + 1) & (zip->capacity - 1)) {
        uint64_t found = (zip->slots[at] & UINT32_MAX) - 1;
        if (zip->slots[at] >> 32 == hash && zip->entries[found].name_length == entry->name_length &&
            same(zip->entries[found].name, entry->name, entry->name_length, fold)) {
            return found;
        }
    }
    zip->slots[at] = (uint64_t)hash << 32 | (number + 1);
    return number;
}

static bool has_parent_part(const char *name, size_t length) {
    size_t part = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i == length || name[i] == '/' || name[i] == '\\') {
            if (i - part == 2 && name[part] == '.' && name[part + 1] == '.') {
                return true;
            }
            part = i + 1;
        }
    }
    return false;
}

/* Why a name is not one that a file in a folder can have everywhere; NULL if it is. */
static const char *unsafe_because(const sft_zip_entry *entry) {
    const char *name = entry->name;
    size_t length = entry->name_length;
    if (length == 0) {
        return "the file's name is empty";
    }
    if (memchr(name, '\0', length) != NULL) {
        return "the file's name has a NUL in it, where some readers end it";
    }
    if (memchr(name, '\\', length) != NULL) {
        return "the file's name has a backslash in it, which some readers take for a slash";
    }
    if (name[0] == '/' || (length >= 2 && name[1] == ':')) {
        return "the file's name is an absolute path";
    }
    if (has_parent_part(name, length)) {
        return "the file's name leads out of the archive";
    }
    if ((entry->flags & SFT_ZIP_FLAG_UTF8) != 0 &&
        sft_utf8_check((const unsigned char *)name, length) != length) {
        return "the file's name is said to be UTF-8, and is not";
    }
    return NULL;
}

static void tell_of_names(const sft_zip_reader *reader) {
    sft_zip *zip = reader->zip;
    for (uint64_t i = 0; i < zip->count; i++) {
        const sft_zip_entry *entry = &zip->entries[i];
        const char *why = unsafe_because(entry);
        if (why != NULL) {
            sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_UNSAFE_NAME", entry, entry->record,
                         why);
        }
        if (enter(zip, i, false) != i) {
            sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_DUPLICATE", entry, entry->record,
                         "another file in the archive has this name too");
        }
    }
}

/* Names that differ in case only: torch, which looks for data.pkl, would take either. */
static void tell_of_case(const sft_zip_reader *reader, bool any) {
    const sft_zip *zip = reader->zip;
    if (!any || (sft_zip_find(zip, "data.pkl", 8) == NULL &&
                 sft_zip_find(zip, "constants.pkl", 13) == NULL)) {
        return;
    }
    for (uint64_t i = 0; i < zip->count; i++) {
        const sft_zip_entry *entry = &zip->entries[i];
        const sft_zip_entry *first = &zip->entries[enter(reader->zip, i, true)];
        if (first != entry && !same(first->name, entry->name, entry->name_length, false)) {
            sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_DUPLICATE", entry, entry->record,
                         "another file in the archive has this name too, but for upper and lower "
                         "case, which torch does not tell apart");
        }
    }
}

sft_status sft_zip_read_names(sft_zip_reader *reader, sft_error *error) {
    sft_zip *zip = reader->zip;
    zip->capacity = sft_zip_index_capacity(zip->count);
    uint64_t size = zip->capacity * sizeof(uint64_t);
    zip->slots = sft_arena_take(&zip->arena, size);
    if (zip->slots == NULL) {
        zip->capacity = 0;
        return sft_fail_memory(error);
    }
    sft_os_random(zip->seed);
    memset(zip->slots, 0, (size_t)size);
    tell_of_names(reader);
    memset(zip->slots, 0, (size_t)size);
    bool any = false;
    for (uint64_t i = 0; i < zip->count; i++) {
        any = enter(zip, i, true) != i || any;
    }
    tell_of_case(reader, any);
    return SFT_OK;
}

void sft_zip_root(const sft_zip *zip, const char **root, size_t *length) {
    *root = zip->count > 0 ? zip->entries[0].name : "";
    const char *slash = zip->count > 0 ? memchr(*root, '/', zip->entries[0].name_length) : NULL;
    *length = slash != NULL ? (size_t)(slash - *root) : 0;
}

const sft_zip_entry *sft_zip_find(const sft_zip *zip, const char *name, size_t length) {
    const char *root;
    size_t root_length;
    sft_zip_root(zip, &root, &root_length);
    /* With the slash. */
    size_t front = root_length > 0 ? root_length + 1 : 0;
    hasher of = {.seed = {zip->seed[0], zip->seed[1]}, .fold = true, .used = 0};
    hash_add(&of, root, front);
    hash_add(&of, name, length);
    uint32_t hash = hash_end(&of);
    for (uint64_t i = 0; i < zip->capacity; i++) {
        uint64_t slot = zip->slots[(hash + i) & (zip->capacity - 1)];
        if (slot == 0) {
            break;
        }
        const sft_zip_entry *entry = &zip->entries[(slot & UINT32_MAX) - 1];
        if (slot >> 32 == hash && entry->name_length >= front &&
            entry->name_length - front == length && same(entry->name, root, front, true) &&
            same(entry->name + front, name, length, true)) {
            return entry;
        }
    }
    return NULL;
}
