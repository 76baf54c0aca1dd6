/* Zip archives: every member, whatever its name; and what is odd about the archive. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/text.h"
#include "checkpoint/walk.h"
#include "checkpoint/zip.h"
#include "checkpoint/zip_sum.h"

typedef struct zip_frame {
    sft_frame frame;
    sft_zip zip;
    uint64_t index;
    unsigned step;             /* which way of looking at that entry comes next */
    bool checksums;            /* some were written */
    const sft_zip_entry *data; /* data.pkl of torch's, or NULL */
    bool torch;                /* its storages are known by their names */
    bool trouble;              /* opening found something malformed */
    sft_walk *walk;            /* for the callback */
    sft_status status;
    sft_error *error;
} zip_frame;

/* ---- names ---- */

/* torch looks names up without regard to case. */
static bool begins_with(const char *name, size_t length, const char *start) {
    size_t size = strlen(start);
    return length >= size && sft_ends_with_any_case(name, size, start);
}

sft_expect sft_walk_role(const char *name, size_t length) {
    static const char *const endings[] = {".pkl", ".pickle", ".joblib", ".debug_pkl"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (sft_ends_with_any_case(name, length, endings[i])) {
            return SFT_EXPECT_PICKLE;
        }
    }
    return SFT_EXPECT_MEMBER;
}

/* A name below the archive's root folder; the whole where it is not in there. */
static void below_root(const sft_zip *zip, const char **name, size_t *length) {
    const char *root;
    size_t root_length;
    sft_zip_root(zip, &root, &root_length);
    if (root_length > 0 && *length > root_length && memcmp(*name, root, root_length) == 0 &&
        (*name)[root_length] == '/') {
        *name += root_length + 1;
        *length -= root_length + 1;
    }
}

static sft_expect expect_of(const zip_frame *zip, const sft_zip_entry *entry) {
    const char *name = entry->name;
    size_t length = entry->name_length;
    below_root(&zip->zip, &name, &length);
    if (zip->frame.item.expect == SFT_EXPECT_DATA) {
        return SFT_EXPECT_DATA;
    }
    if (zip->torch && begins_with(name, length, "data/")) {
        return SFT_EXPECT_DATA;
    }
    return entry->local != NULL &&
                   sft_walk_role(entry->local, entry->local_length) == SFT_EXPECT_PICKLE
               ? SFT_EXPECT_PICKLE
               : sft_walk_role(entry->name, entry->name_length);
}

/* ---- the archive as a whole ---- */

/* The names of oddities that a pickle gives an archive which lies in one of its texts. */
static bool is_from_enclosing(const char *code) {
    return strcmp(code, "ZIP_PREFIX") == 0 || strcmp(code, "ZIP_TRAILING_BYTES") == 0;
}

static const char *label_of(zip_frame *zip, const sft_zip_entry *entry) {
    sft_region raw;
    return entry != NULL && sft_zip_raw(&zip->zip, entry, &zip->frame.sources, &raw)
               ? raw.label
               : zip->frame.item.region.label;
}

static void on_oddity(void *context, const sft_zip_oddity *oddity) {
    zip_frame *zip = context;
    const sft_item *item = &zip->frame.item;
    zip->trouble = zip->trouble || oddity->severity == SFT_SEVERITY_MALFORMED;
    if (zip->status != SFT_OK || item->expect == SFT_EXPECT_DATA ||
        (item->enclosed && is_from_enclosing(oddity->code))) {
        return;
    }
    sft_finding finding = {.severity = oddity->severity,
                           .code = oddity->code,
                           .detail = oddity->detail,
                           .member = label_of(zip, oddity->entry),
                           .byte = oddity->byte};
    zip->status = sft_walk_find(zip->walk, item, finding, zip->error);
}

static const sft_zip_entry *find(const sft_zip *zip, const char *name) {
    return sft_zip_find(zip, name, strlen(name));
}

/* The first member of a folder of the archive. */
static const sft_zip_entry *find_below(const sft_zip *zip, const char *folder) {
    for (uint64_t i = 0; i < zip->count; i++) {
        const char *name = zip->entries[i].name;
        size_t length = zip->entries[i].name_length;
        below_root(zip, &name, &length);
        if (begins_with(name, length, folder)) {
            return &zip->entries[i];
        }
    }
    return NULL;
}

/* The first member whose name ends so. */
static const sft_zip_entry *find_ending(const sft_zip *zip, const char *end) {
    for (uint64_t i = 0; i < zip->count; i++) {
        if (sft_ends_with_any_case(zip->entries[i].name, zip->entries[i].name_length, end)) {
            return &zip->entries[i];
        }
    }
    return NULL;
}

static sft_status say_code(zip_frame *zip, const sft_zip_entry *code, const char *detail) {
    sft_finding finding = {.severity = SFT_SEVERITY_UNKNOWN,
                           .code = "CONTAINS_CODE",
                           .member = label_of(zip, code),
                           .byte = SFT_NO_BYTE,
                           .detail = detail};
    return zip->frame.item.expect == SFT_EXPECT_DATA
               ? SFT_OK
               : sft_walk_find(zip->walk, &zip->frame.item, finding, zip->error);
}

/*
 * Other archives of PyTorch with programs in them. torch.package imports the modules that it finds
 * in one, under whatever names a pickle asks for; torch.export has SymPy evaluate texts, by eval().
 */
static sft_status tell_program(zip_frame *zip) {
    const sft_zip_entry *module = find_ending(&zip->zip, ".py");
    if (module != NULL && find(&zip->zip, ".data/extern_modules") != NULL) {
        return say_code(zip, module,
                        "this is a torch.package: it contains modules of Python, which are "
                        "imported when it is loaded");
    }
    const sft_zip_entry *program = find_ending(&zip->zip, "serialized_exported_program.json");
    if (program == NULL && find(&zip->zip, "archive_format") != NULL) {
        program = find_below(&zip->zip, "models/");
    }
    return program == NULL ? SFT_OK
                           : say_code(zip, program,
                                      "this is an exported program, whose expressions are "
                                      "evaluated when it is loaded");
}

/* torch.load hands an archive with constants.pkl to torch.jit.load, which compiles its code/. */
static sft_status tell_kind(zip_frame *zip) {
    const sft_item *item = &zip->frame.item;
    zip->data = find(&zip->zip, "data.pkl");
    zip->torch = zip->data != NULL;
    const sft_zip_entry *code = find(&zip->zip, "constants.pkl");
    if (code == NULL) {
        code = find_below(&zip->zip, "code/");
    }
    if (zip->torch && code != NULL) {
        sft_walk_format(zip->walk, item, SFT_FORMAT_TORCHSCRIPT);
        return say_code(zip, code,
                        "this is TorchScript: it contains a program, which is compiled when it "
                        "is loaded");
    }
    if (zip->torch || find_ending(&zip->zip, ".npy") != NULL) {
        sft_walk_format(zip->walk, item, zip->torch ? SFT_FORMAT_TORCH_ZIP : SFT_FORMAT_NPZ);
    }
    return tell_program(zip);
}

/* ---- members ---- */

/* torch can leave checksums out: where all are zero, none was written. */
static bool has_checksums(const sft_zip *zip) {
    for (uint64_t i = 0; i < zip->count; i++) {
        if (zip->entries[i].crc != 0) {
            return true;
        }
    }
    return false;
}

static sft_status say_of_entry(zip_frame *zip, const sft_zip_entry *entry, sft_severity severity,
                               const char *code, const char *detail) {
    if (zip->frame.item.expect == SFT_EXPECT_DATA) {
        return SFT_OK;
    }
    sft_finding finding = {.severity = severity,
                           .code = code,
                           .detail = detail,
                           .member = label_of(zip, entry),
                           .byte = SFT_NO_BYTE};
    return sft_walk_find(zip->walk, &zip->frame.item, finding, zip->error);
}

static bool on_passed(void *context, uint64_t bytes) {
    return sft_root_passed(context, bytes);
}

/* The archive where it lies in the file that is scanned; false where it was unpacked. */
static bool find_direct(zip_frame *zip, sft_region *direct) {
    sft_root *root = &zip->walk->root;
    const sft_region *region = &zip->frame.item.region;
    return region->source == &root->source && root->file.fd >= 0 &&
           sft_region_part(&root->file, region->offset, region->size, direct);
}

/* Reads a whole member once. What is stored is read where it lies; what is packed must not cost
 * more than the walk may spend on it. *size receives how many bytes there really are to look at: a
 * loader comes to them before it comes to the damage. Of what is said to be encrypted, nothing is
 * told: it may be. */
static sft_status check_content(zip_frame *zip, const sft_zip_entry *entry, uint64_t *size) {
    sft_walk *walk = zip->walk;
    *size = entry->size;
    if (entry->method != 0) {
        if (entry->size > walk->checksums) {
            return SFT_OK;
        }
        walk->checksums -= entry->size;
    } else if (walk->short_sums && entry->size >= SFT_ZIP_SUM_LEAST) {
        return SFT_OK;
    }
    sft_region direct;
    sft_zip_check_options options = {.direct = find_direct(zip, &direct) ? &direct : NULL,
                                     .passed = on_passed,
                                     .context = &walk->root};
    sft_zip_content content;
    sft_error failure;
    sft_status found = sft_zip_check(&zip->zip, entry, &options, &content, &failure);
    if (found != SFT_OK) {
        bool limit;
        return sft_walk_explain(walk, found, &limit, zip->error);
    }
    *size = sft_min(content.size, entry->size);
    if (!entry->readable) {
        return SFT_OK;
    }
    if (!content.whole || content.size != entry->size) {
        return say_of_entry(zip, entry, SFT_SEVERITY_MALFORMED, "BROKEN",
                            content.whole || content.limited
                                ? "it does not unpack to the size that it declares"
                                : "its compressed bytes are damaged");
    }
    return zip->checksums && content.crc != entry->crc
               ? say_of_entry(zip, entry, SFT_SEVERITY_WARNING, "ZIP_CHECKSUM",
                              "its bytes do not have the checksum that the archive gives")
               : SFT_OK;
}

static void begin_part(const zip_frame *zip, sft_item *part) {
    *part = zip->frame.item;
    part->base = 0;
    part->view = SFT_VIEW_FILE;
    part->depth++;
    part->enclosed = false;
    part->zip = NULL;
}

/* As its records say: unpacked where it is packed. */
static sft_status open_entry(zip_frame *zip, const sft_zip_entry *entry, sft_item *part,
                             bool *found) {
    if (!entry->known || entry->folder) {
        return SFT_OK;
    }
    uint64_t size;
    sft_status status = check_content(zip, entry, &size);
    if (status != SFT_OK) {
        return status;
    }
    if (entry->size > zip->walk->limits.inflated && entry->method != 0) {
        return say_of_entry(zip, entry, SFT_SEVERITY_MALFORMED, "LIMIT",
                            "it unpacks to more than the limit allows");
    }
    begin_part(zip, part);
    part->expect = expect_of(zip, entry);
    part->zip = entry == zip->data ? &zip->zip : NULL;
    *found = true;
    if (entry->method == 0) {
        return sft_zip_region(&zip->zip, entry, &zip->frame.sources, &part->region, zip->error);
    }
    sft_region raw;
    if (!sft_zip_raw(&zip->zip, entry, &zip->frame.sources, &raw)) {
        *found = false;
        return SFT_OK;
    }
    part->made = true;
    return sft_walk_unpack(zip->walk, &zip->frame.sources, &raw, SFT_PACKED_DEFLATE, size, false,
                           &part->region, zip->error);
}

static bool is_plain(const sft_zip_entry *entry) {
    return entry->known && entry->method == 0 && entry->packed == entry->size;
}

/* As its bytes stand, whatever its records say of them: packed or not. */
static bool open_raw(zip_frame *zip, const sft_zip_entry *entry, sft_view view, sft_item *part) {
    begin_part(zip, part);
    part->view = view;
    part->expect = SFT_EXPECT_DATA;
    return sft_zip_raw(&zip->zip, entry, &zip->frame.sources, &part->region);
}

/* The ways to look at an entry, one after another. */
static sft_status next_way(zip_frame *zip, const sft_zip_entry *entry, sft_item *part,
                           bool *found) {
    unsigned step = zip->step++;
    if (step == 0) {
        return open_entry(zip, entry, part, found);
    }
    if (is_plain(entry) || entry->packed == 0) {
        return SFT_OK;
    }
    if (step == 1) {
        *found = open_raw(zip, entry, SFT_VIEW_FILE, part);
    } else if (!entry->known || entry->method == 0) {
        *found = open_raw(zip, entry, SFT_VIEW_DEFLATE, part);
    }
    return SFT_OK;
}

enum { WAYS = 3 };

static sft_status next_entry(sft_walk *walk, sft_frame *frame, sft_item *part, bool *found,
                             sft_error *error) {
    (void)walk;
    zip_frame *zip = (zip_frame *)frame;
    zip->error = error;
    sft_status status = SFT_OK;
    while (status == SFT_OK && !*found && zip->index < zip->zip.count) {
        if (zip->step == WAYS) {
            zip->step = 0;
            zip->index++;
        } else {
            status = next_way(zip, &zip->zip.entries[zip->index], part, found);
        }
    }
    return status;
}

static void end_zip(sft_walk *walk, sft_frame *frame) {
    (void)walk;
    sft_zip_free(&((zip_frame *)frame)->zip);
}

static sft_status open_archive(zip_frame *zip, sft_error *error) {
    const sft_item *item = &zip->frame.item;
    sft_zip_options options = {.allocator = &zip->walk->allocator,
                               .entries = zip->walk->limits.entries,
                               .memory = zip->walk->limits.memory,
                               .context = zip,
                               .odd = on_oddity};
    sft_error failure;
    sft_status opened = sft_zip_open(&zip->zip, &item->region, &options, &failure);
    if (zip->status != SFT_OK) {
        return zip->status;
    }
    if (opened == SFT_OK) {
        zip->checksums = has_checksums(&zip->zip);
        return tell_kind(zip);
    }
    if (item->enclosed || zip->trouble) {
        bool limit;
        return sft_walk_explain(zip->walk, opened, &limit, error);
    }
    return sft_walk_say_broken(zip->walk, item, opened, &failure, error);
}

sft_status sft_walk_zip(sft_walk *walk, const sft_item *item, sft_error *error) {
    zip_frame *zip = (zip_frame *)sft_walk_push(walk, sizeof *zip, item);
    if (zip == NULL) {
        return sft_fail_memory(error);
    }
    zip->frame.next = next_entry;
    zip->walk = walk;
    zip->error = error;
    sft_status status = open_archive(zip, error);
    zip->frame.end = end_zip;
    return status;
}
