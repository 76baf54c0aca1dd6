#include "checkpoint/parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/sort.h"
#include "base/text.h"
#include "io/os.h"
#include "io/source.h"

static const char standard_index[] = "pytorch_model.bin.index.json";
static const char standard_file[] = "pytorch_model.bin";

#define LARGEST_INDEX (UINT64_C(100) * 1000 * 1000)

static char *join(sft_arena *arena, const char *folder, const char *name) {
    size_t length = strlen(folder);
    size_t name_length = strlen(name);
    bool slash = length > 0 && folder[length - 1] != '/';
    char *path = sft_arena_take(arena, length + slash + name_length + 1);
    if (path != NULL) {
        memcpy(path, folder, length + 1);
        path[length] = '/';
        memcpy(path + length + slash, name, name_length + 1);
    }
    return path;
}

/* ---- the index ---- */

static sft_status read_text(sft_parts *parts, int fd, sft_error *error) {
    sft_source source = sft_source_of_fd(fd);
    sft_os_info info;
    int failure = sft_os_describe(fd, &info);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    if (!info.regular) {
        return sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE, "the index is no regular file");
    }
    if (info.size > LARGEST_INDEX) {
        return sft_fail(error, SFT_INVALID_INDEX, SFT_NO_BYTE,
                        "the index has %" PRIu64 " bytes, the limit is %" PRIu64, info.size,
                        LARGEST_INDEX);
    }
    parts->text = sft_allocate(&parts->allocator, info.size + 1);
    if (parts->text == NULL) {
        return sft_fail_memory(error);
    }
    parts->text_size = info.size;
    parts->text[info.size] = '\0';
    return sft_source_read(&source, 0, parts->text, info.size, error);
}

static bool path_after(const void *paths, uint32_t a, uint32_t b) {
    const char *const *list = paths;
    return strcmp(list[a], list[b]) > 0;
}

/* The shards in the order of their names; the index's shards know their numbers. */
static sft_status list_shards(sft_parts *parts, sft_error *error) {
    sft_index *index = &parts->index;
    uint64_t count = index->shard_count;
    const char **paths = sft_allocate_zeroed(&parts->allocator, count, sizeof *paths);
    parts->paths = sft_arena_take(&parts->arena, count * sizeof *parts->paths);
    bool whole = paths != NULL && parts->paths != NULL;
    for (uint64_t i = 0; i < count && whole; i++) {
        paths[i] = join(&parts->arena, parts->folder, index->shards[i].name);
        whole = paths[i] != NULL;
    }
    uint32_t *order =
        whole ? sft_sort(paths, (uint32_t)count, path_after, &parts->allocator) : NULL;
    for (uint32_t i = 0; i < count && order != NULL; i++) {
        parts->paths[i] = paths[order[i]];
        index->shards[order[i]].opened_as = i;
    }
    parts->count = order != NULL ? count : 0;
    whole = order != NULL;
    sft_release(&parts->allocator, order, count * sizeof *order);
    sft_release(&parts->allocator, (void *)paths, count * sizeof *paths);
    return whole ? SFT_OK : sft_fail_memory(error);
}

static sft_status open_index(sft_parts *parts, const char *path, const uint64_t seed[2],
                             sft_error *error) {
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    char *folder = sft_arena_take(&parts->arena, length + 1);
    if (folder == NULL) {
        return sft_fail_memory(error);
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    parts->folder = folder;
    parts->index_path = path;
    parts->sharded = true;
    int fd;
    int failure = sft_os_open(path, &fd);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    sft_status status = read_text(parts, fd, error);
    sft_os_close(fd);
    if (status == SFT_OK) {
        status = sft_index_parse(parts->text, parts->text_size, &parts->allocator, seed,
                                 &parts->index, error);
    }
    return status == SFT_OK ? list_shards(parts, error) : status;
}

/* ---- folders ---- */

typedef struct listing {
    sft_arena *arena;
    char *index; /* name of the one to take */
    bool standard;
    bool pickled;   /* it is of .bin files */
    uint64_t count; /* that are as good */
    bool file;      /* there is a pytorch_model.bin */
    bool no_memory;
} listing;

static void take_index(listing *list, const char *name) {
    bool pickled = sft_ends_with(name, ".bin.index.json");
    bool standard = strcmp(name, standard_index) == 0;
    bool better = standard || (pickled && !list->pickled);
    if (better || (list->count == 0 && list->index == NULL)) {
        list->index = sft_arena_copy(list->arena, name, strlen(name) + 1);
        list->no_memory = list->index == NULL;
        list->count = 0;
        list->pickled = pickled;
    }
    list->standard = list->standard || standard;
    list->count += pickled == list->pickled;
}

static bool note_name(void *context, const char *name) {
    listing *list = context;
    list->file = list->file || strcmp(name, standard_file) == 0;
    if (name[0] != '.' && sft_ends_with(name, ".index.json") &&
        !sft_ends_with(name, ".safetensors.index.json") && !list->standard) {
        take_index(list, name);
    }
    return !list->no_memory;
}

static sft_status take_file(sft_parts *parts, const char *path, sft_error *error) {
    const char *copy = path != NULL ? sft_arena_copy(&parts->arena, path, strlen(path) + 1) : NULL;
    parts->paths = sft_arena_take(&parts->arena, sizeof *parts->paths);
    if (copy == NULL || parts->paths == NULL) {
        return sft_fail_memory(error);
    }
    parts->paths[parts->count++] = copy;
    return SFT_OK;
}

static sft_status open_folder(sft_parts *parts, const char *path, const uint64_t seed[2],
                              sft_error *error) {
    listing list = {.arena = &parts->arena};
    int failure = sft_os_list(path, note_name, &list);
    if (list.no_memory) {
        return sft_fail_memory(error);
    }
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot list");
    }
    if (list.count > 1 && !list.standard) {
        return sft_fail(error, SFT_AMBIGUOUS_FOLDER, SFT_NO_BYTE,
                        "the folder has %" PRIu64 " index files: name the one you mean",
                        list.count);
    }
    if (list.index != NULL) {
        const char *index = join(&parts->arena, path, list.index);
        return index != NULL ? open_index(parts, index, seed, error) : sft_fail_memory(error);
    }
    if (list.file) {
        return take_file(parts, join(&parts->arena, path, standard_file), error);
    }
    return sft_fail(error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                    "the folder holds neither an index of pickled shards (%s) nor a %s: name "
                    "the file to convert",
                    standard_index, standard_file);
}

/* ---- the whole ---- */

sft_status sft_parts_find(sft_parts *parts, const char *path, const sft_allocator *allocator,
                          const uint64_t seed[2], sft_error *error) {
    *parts = (sft_parts){.allocator = *allocator};
    sft_arena_init(&parts->arena, allocator);
    parts->index.allocator = *allocator;
    sft_arena_init(&parts->index.arena, allocator);
    sft_os_info info = {.size = 0};
    bool folder = sft_os_look_path(path, &info) == 0 && info.folder;
    sft_status status = folder                               ? open_folder(parts, path, seed, error)
                        : sft_ends_with(path, ".index.json") ? open_index(parts, path, seed, error)
                                                             : take_file(parts, path, error);
    if (status != SFT_OK) {
        sft_error_file(error, parts->index_path != NULL ? parts->index_path : path);
    }
    return status;
}

void sft_parts_free(sft_parts *parts) {
    sft_index_free(&parts->index);
    sft_release(&parts->allocator, parts->text, parts->text_size + 1);
    sft_arena_free(&parts->arena);
    *parts = (sft_parts){.allocator = parts->allocator};
}

/* ---- whether the index is true ---- */

/* The names of a source's tensors, without a wrapper. */
typedef struct name_table {
    sft_named *names;
    uint64_t count;
    sft_names lookup;
} name_table;

static bool make_table(name_table *table, const sft_found *found, const char *wrapper,
                       const sft_allocator *allocator, const uint64_t seed[2]) {
    size_t skipped = wrapper != NULL ? strlen(wrapper) + 1 : 0;
    table->count = found->tensor_count;
    table->names = sft_allocate_zeroed(allocator, table->count, sizeof *table->names);
    sft_names_init(&table->lookup, allocator, seed);
    if (table->names == NULL || !sft_names_reserve(&table->lookup, table->count)) {
        return false;
    }
    for (uint64_t i = 0; i < table->count; i++) {
        const sft_found_tensor *tensor = &found->tensors[i];
        table->names[i] = (sft_named){tensor->name + skipped, tensor->name_length - skipped};
        if (sft_names_add(&table->lookup, table->names, sizeof *table->names, i) ==
            SFT_NAMES_NO_MEMORY) {
            return false;
        }
    }
    return true;
}

static bool holds(const name_table *table, const char *name, size_t length) {
    return sft_names_find(&table->lookup, table->names, sizeof *table->names, name, length) !=
           UINT64_MAX;
}

/* Indexes name what was in the wrapper, or, by a program that never unwraps, the whole. */
static bool holds_entry(const name_table *table, const char *wrapper,
                        const sft_index_entry *entry) {
    if (holds(table, entry->name, entry->name_length)) {
        return true;
    }
    size_t size = wrapper != NULL ? strlen(wrapper) : 0;
    return size > 0 && entry->name_length > size && memcmp(entry->name, wrapper, size) == 0 &&
           entry->name[size] == '.' &&
           holds(table, entry->name + size + 1, entry->name_length - size - 1);
}

static sft_status agree(const sft_parts *parts, uint64_t part, const name_table *table,
                        const char *wrapper, sft_error *error) {
    for (uint64_t i = 0; i < parts->index.entry_count; i++) {
        const sft_index_entry *entry = &parts->index.entries[i];
        if (parts->index.shards[entry->shard].opened_as == part &&
            !holds_entry(table, wrapper, entry)) {
            sft_fail(error, SFT_TENSOR_NOT_IN_SHARD, SFT_NO_BYTE,
                     "the index says that this file holds the tensor, but it does not");
            sft_error_tensor(error, entry->name, entry->name_length);
            sft_error_file(error, parts->paths[part]);
            return SFT_TENSOR_NOT_IN_SHARD;
        }
    }
    return SFT_OK;
}

sft_status sft_parts_agree(const sft_parts *parts, const sft_found *const *founds,
                           const char *wrapper, const uint64_t seed[2], sft_error *error) {
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < parts->count && status == SFT_OK; i++) {
        name_table table = {.count = 0};
        status = make_table(&table, founds[i], wrapper, &parts->allocator, seed)
                     ? agree(parts, i, &table, wrapper, error)
                     : sft_fail_memory(error);
        sft_names_free(&table.lookup);
        sft_release(&parts->allocator, table.names, table.count * sizeof *table.names);
    }
    return status;
}
