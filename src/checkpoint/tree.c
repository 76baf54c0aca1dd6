/* A folder and all in it: first a list of the files, so that progress knows the whole; then each.
 */
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "checkpoint/scan.h"
#include "io/os.h"

/* A path, and what became of looking at it. */
typedef struct leaf {
    const char *path;
    uint64_t size;
    int failure; /* errno */
} leaf;

typedef struct leaves {
    leaf *list;
    uint64_t count, capacity;
} leaves;

typedef struct tree {
    sft_allocator allocator;
    sft_arena arena;
    leaves files;   /* in the order in which they are scanned */
    leaves waiting; /* yet to be looked at; the next one last */
    leaves names;   /* of the folder that is being listed */
    bool out_of_memory;
    sft_scan_options options;
    uint64_t done; /* bytes of the files before the one that is being scanned */
    uint64_t total;
} tree;

static bool add(tree *t, leaves *to, const leaf *added) {
    void *list = to->list;
    bool grown = sft_grow(&t->allocator, &list, &to->capacity, to->count, sizeof *to->list);
    to->list = list;
    if (grown) {
        to->list[to->count++] = *added;
    }
    t->out_of_memory = t->out_of_memory || !grown;
    return grown;
}

static void release(const tree *t, leaves *all) {
    sft_release(&t->allocator, all->list, all->capacity * sizeof *all->list);
}

/* ---- listing ---- */

static const char *join(tree *t, const char *folder, const char *name) {
    size_t length = strlen(folder);
    size_t slash = length > 0 && folder[length - 1] != '/';
    size_t size = strlen(name) + 1;
    char *path = sft_arena_take(&t->arena, length + slash + size);
    if (path != NULL) {
        memcpy(path, folder, length);
        path[length] = '/';
        memcpy(path + length + slash, name, size);
    }
    return path;
}

typedef struct listing {
    tree *tree;
    const char *folder;
} listing;

static bool on_name(void *context, const char *name) {
    const listing *of = context;
    leaf found = {.path = join(of->tree, of->folder, name)};
    of->tree->out_of_memory = of->tree->out_of_memory || found.path == NULL;
    return found.path != NULL && add(of->tree, &of->tree->names, &found);
}

static bool path_after(const void *things, uint32_t a, uint32_t b) {
    const leaf *list = things;
    return strcmp(list[a].path, list[b].path) > 0;
}

/* Puts what is in a folder on the stack, so that its first name is the next. */
static sft_status list_folder(tree *t, leaf *folder, sft_error *error) {
    listing of = {t, folder->path};
    t->names.count = 0;
    folder->failure = sft_os_list(folder->path, on_name, &of);
    uint32_t count = (uint32_t)sft_min(t->names.count, UINT32_MAX);
    uint32_t *order = sft_sort(t->names.list, count, path_after, &t->allocator);
    for (uint32_t i = count; order != NULL && i > 0; i--) {
        add(t, &t->waiting, &t->names.list[order[i - 1]]);
    }
    bool failed = order == NULL || t->out_of_memory;
    sft_release(&t->allocator, order, (uint64_t)count * sizeof *order);
    return failed ? sft_fail_memory(error) : SFT_OK;
}

/* Files are taken in; folders are listed, unless a link leads there; pipes and devices are nothing
 * that is loaded from. */
static sft_status look_at(tree *t, leaf *found, bool is_top, sft_error *error) {
    sft_os_info info = {.size = 0};
    found->failure = sft_os_look(SFT_OS_HERE, found->path, &info);
    bool is_link = found->failure == 0 && info.link;
    if (is_link) {
        found->failure = sft_os_look_path(found->path, &info);
    }
    if (found->failure == 0 && info.folder) {
        sft_status status = is_link && !is_top ? SFT_OK : list_folder(t, found, error);
        if (status != SFT_OK || found->failure == 0) {
            return status;
        }
    } else if (found->failure == 0 && !info.regular && !is_top) {
        return SFT_OK;
    }
    found->size = found->failure == 0 ? info.size : 0;
    if (!sft_add(t->total, found->size, &t->total)) {
        t->total = UINT64_MAX;
    }
    return add(t, &t->files, found) ? SFT_OK : sft_fail_memory(error);
}

static sft_status fail_open(const char *path, int failure, sft_error *error) {
    sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    sft_error_file(error, path);
    return SFT_OPEN_FAILED;
}

static sft_status list_tree(tree *t, const char *path, sft_error *error) {
    leaf top = {.path = path};
    sft_status status = look_at(t, &top, true, error);
    if (status == SFT_OK && top.failure != 0) {
        return fail_open(path, top.failure, error);
    }
    while (status == SFT_OK && t->waiting.count > 0) {
        leaf next = t->waiting.list[--t->waiting.count];
        status = look_at(t, &next, false, error);
    }
    return status;
}

/* ---- scanning ---- */

static bool on_progress(void *context, uint64_t done, uint64_t total) {
    const tree *t = context;
    (void)total;
    uint64_t all = t->total - sft_min(t->total, t->done);
    return t->options.progress(t->options.progress_context, t->done + sft_min(done, all), t->total);
}

typedef bool each_result(void *context, const char *path, const sft_scan_result *result,
                         const sft_error *error);

static sft_status scan_leaf(const tree *t, const leaf *file, sft_scan_result **result,
                            sft_error *error) {
    if (file->failure != 0) {
        *result = NULL;
        return fail_open(file->path, file->failure, error);
    }
    sft_scan_options options = t->options;
    options.progress = t->options.progress != NULL ? on_progress : NULL;
    options.progress_context = (void *)(uintptr_t)t;
    return sft_scan(file->path, &options, result, error);
}

static sft_status scan_files(tree *t, each_result *each, void *context, sft_error *error) {
    for (uint64_t i = 0; i < t->files.count; i++) {
        const leaf *file = &t->files.list[i];
        sft_scan_result *result;
        sft_error failure;
        sft_status status = scan_leaf(t, file, &result, &failure);
        if (status == SFT_NO_MEMORY || status == SFT_CANCELLED) {
            if (error != NULL) {
                *error = failure;
            }
            return status;
        }
        bool goes_on = each(context, file->path, result, status == SFT_OK ? NULL : &failure);
        sft_scan_free(result);
        if (!goes_on) {
            return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "the scan was cancelled");
        }
        t->done += sft_min(file->size, t->total - t->done);
    }
    return SFT_OK;
}

sft_status sft_scan_tree(const char *path, const sft_scan_options *options, each_result *each,
                         void *context, sft_error *error) {
    if (path == NULL || each == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "nothing to scan, or nobody to tell");
    }
    static const sft_scan_options defaults = SFT_SCAN_OPTIONS;
    tree t = {.options = defaults};
    sft_status status = sft_scan_check(options, &t.options, error);
    if (status != SFT_OK) {
        return status;
    }
    t.allocator = sft_allocator_of(t.options.allocator);
    sft_arena_init(&t.arena, &t.allocator);
    status = list_tree(&t, path, error);
    if (status == SFT_OK) {
        status = scan_files(&t, each, context, error);
    }
    release(&t, &t.files);
    release(&t, &t.waiting);
    release(&t, &t.names);
    sft_arena_free(&t.arena);
    return status;
}
