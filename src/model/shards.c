/* Opening a model: which files it has. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/sort.h"
#include "base/text.h"
#include "io/os.h"
#include "io/source.h"
#include "model/opener.h"

/* ---- paths ---- */

static char *join(sft_model *model, const char *folder, const char *name) {
    size_t folder_length = strlen(folder);
    size_t name_length = strlen(name);
    bool slash = folder_length > 0 && folder[folder_length - 1] != '/';
    char *path = sft_arena_take(&model->arena, folder_length + slash + name_length + 1);
    if (path != NULL) {
        memcpy(path, folder, folder_length + 1);
        path[folder_length] = '/';
        memcpy(path + folder_length + slash, name, name_length + 1);
    }
    return path;
}

/* The folder a path lies in, with its slash; "" for a bare name. */
static char *folder_of(sft_model *model, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    char *folder = sft_arena_take(&model->arena, length + 1);
    if (folder != NULL) {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    return folder;
}

/* ---- shards ---- */

static sft_status add_shard(sft_opener *o, const char *path, sft_error *error) {
    sft_model *model = o->model;
    void *shards = model->shards;
    bool grown = sft_grow(&model->allocator, &shards, &model->shard_capacity, model->shard_count,
                          sizeof *model->shards);
    model->shards = shards;
    if (!grown) {
        return sft_fail_memory(error);
    }
    sft_open_options wanted = SFT_OPEN_OPTIONS;
    wanted.access = o->options.access;
    wanted.limits = o->options.limits;
    wanted.allocator = o->options.allocator;
    wanted.writable = o->options.writable;
    wanted.no_descriptor = o->options.no_descriptor;
    sft_model_shard_entry *shard = &model->shards[model->shard_count];
    *shard = (sft_model_shard_entry){.path = path, .first = model->count};
    sft_status status = sft_open(path, &wanted, &shard->file, error);
    if (status == SFT_OK) {
        model->count += sft_count(shard->file);
        model->shard_count++;
    }
    return status;
}

static bool path_after(const void *paths, uint32_t a, uint32_t b) {
    const char *const *list = paths;
    return strcmp(list[a], list[b]) > 0;
}

/* Opens shards by path, in the order given or sorted by name. A missing one has a status of its
 * own where an index asked for it. */
static sft_status open_shards(sft_opener *o, const char *const *paths, uint64_t count, bool sorted,
                              sft_error *error) {
    const sft_allocator *allocator = &o->model->allocator;
    uint32_t *order =
        count <= UINT32_MAX ? sft_sort(paths, (uint32_t)count, path_after, allocator) : NULL;
    if (order == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        const char *path = paths[sorted ? order[i] : i];
        sft_error found;
        sft_status opened = add_shard(o, path, &found);
        if (opened == SFT_OPEN_FAILED && found.system_error == ENOENT &&
            o->model->index_path != NULL) {
            opened = sft_fail(&found, SFT_MISSING_SHARD, SFT_NO_BYTE,
                              "the index names this shard, but there is no such file");
            sft_error_file(&found, path);
        }
        if (opened != SFT_OK && !sft_opener_go_on(o, opened, &found)) {
            status = opened;
        }
    }
    sft_release(allocator, order, count * sizeof *order);
    return status;
}

/* ---- index files ---- */

static sft_status read_text(sft_opener *o, const sft_source *source, sft_error *error) {
    uint64_t limit = o->options.limits.header_bytes != 0 ? o->options.limits.header_bytes
                                                         : SFT_DEFAULT_HEADER_BYTES;
    uint64_t size;
    int failure = source->size(source->context, &size);
    if (failure != 0) {
        return sft_fail_system(error, SFT_READ_FAILED, failure, "cannot tell the file's size");
    }
    if (size > limit) {
        return sft_fail(error, SFT_INVALID_INDEX, SFT_NO_BYTE,
                        "the index has %llu bytes, the limit is %llu", (unsigned long long)size,
                        (unsigned long long)limit);
    }
    o->text = sft_allocate(&o->model->allocator, size + 1);
    if (o->text == NULL) {
        return sft_fail_memory(error);
    }
    o->text_size = size;
    o->text[size] = '\0';
    return sft_source_read(source, 0, o->text, size, error);
}

static sft_status load_index(sft_opener *o, const char *path, sft_error *error) {
    int fd;
    int failure = sft_os_open(path, &fd);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    sft_source source = sft_source_of_fd(fd);
    sft_os_info info;
    failure = sft_os_describe(fd, &info);
    sft_status status =
        failure != 0 ? sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open")
        : !info.regular
            ? sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE, "the index is no regular file")
            : read_text(o, &source, error);
    source.close(source.context);
    if (status == SFT_OK) {
        status =
            sft_index_parse(o->text, o->text_size, &o->model->allocator, o->seed, &o->index, error);
    }
    return status;
}

static sft_status open_index_shards(sft_opener *o, const char *folder, sft_error *error) {
    uint64_t count = o->index.shard_count;
    const char **paths = sft_allocate_zeroed(&o->model->allocator, count, sizeof *paths);
    bool whole = paths != NULL;
    for (uint64_t i = 0; i < count && whole; i++) {
        paths[i] = join(o->model, folder, o->index.shards[i].name);
        whole = paths[i] != NULL;
    }
    sft_status status = whole ? open_shards(o, paths, count, true, error) : sft_fail_memory(error);
    sft_release(&o->model->allocator, (void *)paths, count * sizeof *paths);
    return status;
}

static sft_status open_index(sft_opener *o, const char *path) {
    sft_model *model = o->model;
    sft_error found;
    char *folder = folder_of(model, path);
    model->index_path = sft_arena_copy(&model->arena, path, strlen(path) + 1);
    if (folder == NULL || model->index_path == NULL) {
        return sft_fail_memory(o->error);
    }
    sft_status status = load_index(o, path, &found);
    if (status != SFT_OK) {
        sft_error_file(&found, path);
        sft_opener_go_on(o, status, &found);
        return status;
    }
    status = open_index_shards(o, folder, o->error);
    status = status == SFT_OK ? sft_opener_join_names(o) : status;
    return status == SFT_OK ? sft_opener_agree(o, folder) : status;
}

/* ---- folders ---- */

typedef struct listing {
    sft_model *model;
    const char *folder;
    const char **shards; /* paths */
    uint64_t shard_count;
    uint64_t shard_capacity;
    char *index; /* path of the one to take */
    uint64_t index_count;
    bool standard_index;
    bool no_memory;
} listing;

static const char standard_name[] = "model.safetensors.index.json";

static void note_index(listing *list, const char *name) {
    bool standard = strcmp(name, standard_name) == 0;
    list->index_count++;
    if (standard || list->index == NULL) {
        list->index = join(list->model, list->folder, name);
        list->no_memory = list->index == NULL;
    }
    list->standard_index = list->standard_index || standard;
}

static bool note_name(void *context, const char *name) {
    listing *list = context;
    if (name[0] == '.') {
        return true; /* hidden: litter of a save, or of another system ("._NAME") */
    }
    if (sft_ends_with(name, ".safetensors.index.json")) {
        note_index(list, name);
    } else if (sft_ends_with(name, ".safetensors")) {
        void *shards = (void *)list->shards;
        bool grown = sft_grow(&list->model->allocator, &shards, &list->shard_capacity,
                              list->shard_count, sizeof *list->shards);
        list->shards = shards;
        char *path = grown ? join(list->model, list->folder, name) : NULL;
        list->no_memory = path == NULL;
        if (path != NULL) {
            list->shards[list->shard_count++] = path;
        }
    }
    return !list->no_memory;
}

static sft_status open_listing(sft_opener *o, const listing *list) {
    if (list->index_count > 1 && !list->standard_index) {
        return sft_fail(o->error, SFT_AMBIGUOUS_FOLDER, SFT_NO_BYTE,
                        "the folder has %llu index files: name the one you mean",
                        (unsigned long long)list->index_count);
    }
    if (list->index_count > 0) {
        return open_index(o, list->index);
    }
    if (list->shard_count == 0) {
        return sft_fail(o->error, SFT_NO_SHARDS, SFT_NO_BYTE,
                        "the folder holds no .safetensors file");
    }
    sft_status status = open_shards(o, list->shards, list->shard_count, true, o->error);
    return status == SFT_OK ? sft_opener_join_names(o) : status;
}

static sft_status open_folder(sft_opener *o, const char *path) {
    listing list = {.model = o->model, .folder = path};
    int failure = sft_os_list(path, note_name, &list);
    sft_status status = list.no_memory ? sft_fail_memory(o->error)
                        : failure != 0
                            ? sft_fail_system(o->error, SFT_OPEN_FAILED, failure, "cannot list")
                            : open_listing(o, &list);
    sft_release(&o->model->allocator, (void *)list.shards,
                list.shard_capacity * sizeof *list.shards);
    return status;
}

/* ---- the faces of it all ---- */

static sft_status start(sft_opener *o, bool has_path, const sft_model_options *given,
                        sft_model **model, sft_error *error) {
    *o = (sft_opener){.options = SFT_MODEL_OPTIONS, .error = error};
    if (model != NULL) {
        *model = NULL;
    }
    if (sft_options_check(given, "SFT_MODEL_OPTIONS", error) != SFT_OK) {
        return SFT_INVALID_ARGUMENT;
    }
    sft_options_copy(&o->options, sizeof o->options, given);
    if (model == NULL || !has_path || !sft_allocator_usable(o->options.allocator)) {
        sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                 "a path, a place for the handle and a whole allocator are needed");
        return SFT_INVALID_ARGUMENT;
    }
    sft_allocator allocator = sft_allocator_of(o->options.allocator);
    o->model = sft_allocate(&allocator, sizeof *o->model);
    if (o->model == NULL) {
        sft_fail_memory(error);
        return SFT_NO_MEMORY;
    }
    *o->model = (sft_model){.allocator = allocator};
    sft_arena_init(&o->model->arena, &allocator);
    o->index.allocator = allocator;
    sft_os_random(o->seed);
    return SFT_OK;
}

static sft_status finish(sft_opener *o, sft_status status, const char *path, sft_model **model) {
    /* Where opening went on after a defect, it fails in the end all the same. */
    status = status == SFT_OK ? o->status : status;
    sft_index_free(&o->index);
    sft_release(&o->model->allocator, o->text, o->text_size + 1);
    if (status != SFT_OK) {
        sft_error_file(o->error, path);
        sft_model_close(o->model);
        return status;
    }
    *model = o->model;
    return SFT_OK;
}

/* A file by its path alone: neither folder nor index. */
static sft_status open_single(sft_opener *o, const char *const *paths, uint64_t count) {
    sft_model *model = o->model;
    const char **kept = sft_allocate_zeroed(&model->allocator, count, sizeof *kept);
    bool whole = kept != NULL;
    for (uint64_t i = 0; i < count && whole; i++) {
        kept[i] = sft_arena_copy(&model->arena, paths[i], strlen(paths[i]) + 1);
        whole = kept[i] != NULL;
    }
    sft_status status =
        whole ? open_shards(o, kept, count, false, o->error) : sft_fail_memory(o->error);
    sft_release(&model->allocator, (void *)kept, count * sizeof *kept);
    return status == SFT_OK ? sft_opener_join_names(o) : status;
}

static bool is_folder(const char *path) {
    int fd;
    sft_os_info info = {.size = 0};
    if (sft_os_open(path, &fd) != 0) {
        return false;
    }
    bool described = sft_os_describe(fd, &info) == 0;
    sft_os_close(fd);
    return described && info.folder;
}

sft_status sft_model_open(const char *path, const sft_model_options *options, sft_model **model,
                          sft_error *error) {
    sft_opener o;
    sft_status status = start(&o, path != NULL, options, model, error);
    if (status != SFT_OK) {
        return status;
    }
    status = is_folder(path)                      ? open_folder(&o, path)
             : sft_ends_with(path, ".index.json") ? open_index(&o, path)
                                                  : open_single(&o, &path, 1);
    return finish(&o, status, path, model);
}

sft_status sft_model_open_files(const char *const *paths, uint64_t count,
                                const sft_model_options *options, sft_model **model,
                                sft_error *error) {
    bool whole = paths != NULL && count > 0;
    for (uint64_t i = 0; i < count && whole; i++) {
        whole = paths[i] != NULL;
    }
    sft_opener o;
    sft_status status = start(&o, whole, options, model, error);
    if (status != SFT_OK) {
        return status;
    }
    return finish(&o, open_single(&o, paths, count), NULL, model);
}
