#include "checkpoint/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/text.h"
#include "io/os.h"

static const char ending[] = ".safetensors";

/* What the hub calls the files of a model, whatever the checkpoint was called. */
static const char standard_stem[] = "model";

static const char *const checkpoint_endings[] = {".pt",     ".pth", ".bin", ".ckpt",     ".pkl",
                                                 ".pickle", ".npz", ".npy", ".pdparams", ".tar",
                                                 ".joblib", ".zip", ".gz",  ".sav",      ".pdopt"};

/* ---- texts ---- */

/* Without regard to the case of ASCII letters; `end` is in lower case, and not all of the text. */
static bool ends_with(const char *text, size_t length, const char *end) {
    return length > strlen(end) && sft_ends_with_any_case(text, length, end);
}

static char *join(sft_arena *arena, const char *a, size_t a_length, const char *b, const char *c) {
    size_t b_length = strlen(b);
    size_t c_length = strlen(c);
    char *joined = sft_arena_take(arena, a_length + b_length + c_length + 1);
    if (joined != NULL) {
        memcpy(joined, a, a_length);
        memcpy(joined + a_length, b, b_length);
        memcpy(joined + a_length + b_length, c, c_length + 1);
    }
    return joined;
}

const char *sft_target_stem(const char *path, sft_arena *arena) {
    const char *name = sft_base_name(path);
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof checkpoint_endings / sizeof checkpoint_endings[0];) {
        if (ends_with(name, length, checkpoint_endings[i])) {
            length -= strlen(checkpoint_endings[i]);
            i = 0;
        } else {
            i++;
        }
    }
    return join(arena, name, length, "", "");
}

/* As huggingface names what it converts: "model.safetensors" for "pytorch_model.bin". */
static const char *converted_stem(const char *path, sft_arena *arena) {
    static const char prefix[] = "pytorch_";
    const char *stem = sft_target_stem(path, arena);
    bool pytorch = stem != NULL && strncmp(stem, "pytorch_model", 13) == 0;
    return pytorch ? stem + sizeof prefix - 1 : stem;
}

static bool is_folder(const char *path, bool *exists) {
    sft_os_info info = {.size = 0};
    *exists = sft_os_look_path(path, &info) == 0;
    return *exists && info.folder;
}

/* The status as a constant, which static analysis can see. */
static sft_status no_memory(sft_error *error) {
    sft_fail_memory(error);
    return SFT_NO_MEMORY;
}

/* ---- where ---- */

/* Folder, with its slash, and the name's beginning; `alone` is that of a result of one file. */
typedef struct place {
    const char *folder;
    size_t folder_length;
    const char *stem;
    const char *alone;
    bool verbatim; /* a result of one file is called just as the caller says */
} place;

static void in_folder_of(place *p, const char *path) {
    p->folder = path;
    p->folder_length = (size_t)(sft_base_name(path) - path);
}

static sft_status in_folder(place *p, const char *path, bool exists, sft_arena *arena,
                            sft_target *target, sft_error *error) {
    size_t length = strlen(path);
    const char *slash = path[length - 1] == '/' ? "" : "/";
    const char *folder = join(arena, path, length, slash, "");
    if (folder == NULL) {
        return no_memory(error);
    }
    p->folder = folder;
    p->folder_length = strlen(folder);
    target->folder = exists ? NULL : path;
    return SFT_OK;
}

static sft_status find_place(const sft_target_request *request, place *p, sft_arena *arena,
                             sft_target *target, sft_error *error) {
    const char *given = request->target;
    bool several = request->sharded || request->by_size;
    p->stem = standard_stem;
    p->alone = several ? standard_stem : converted_stem(request->source, arena);
    if (p->alone == NULL) {
        return no_memory(error);
    }
    if (given == NULL) {
        if (!request->sharded) {
            p->alone = converted_stem(request->source, arena);
        }
        in_folder_of(p, request->source);
        return p->alone != NULL ? SFT_OK : no_memory(error);
    }
    bool exists = false;
    size_t length = strlen(given);
    if (length > 0 && (is_folder(given, &exists) || given[length - 1] == '/')) {
        return in_folder(p, given, exists, arena, target, error);
    }
    if (!several || ends_with(given, length, ending)) {
        size_t shorter = ends_with(given, length, ending) ? sizeof ending - 1 : 0;
        const char *name = sft_base_name(given);
        p->stem = p->alone = join(arena, name, strlen(name) - shorter, "", "");
        p->verbatim = true;
        in_folder_of(p, given);
        return p->stem != NULL ? SFT_OK : no_memory(error);
    }
    if (exists || length == 0) {
        sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                 "the result may be several files: the target must be a folder");
        return SFT_NOT_A_FILE;
    }
    return in_folder(p, given, exists, arena, target, error);
}

/* ---- names ---- */

static sft_status name_files(const sft_target_request *request, const place *p, sft_arena *arena,
                             sft_target *target) {
    uint64_t bytes;
    bool one = request->files == 1 && !request->indexed;
    target->count = request->files;
    target->files = sft_multiply(request->files, sizeof *target->files, &bytes)
                        ? sft_arena_take(arena, bytes)
                        : NULL;
    const char *stem = join(arena, p->folder, p->folder_length, one ? p->alone : p->stem, "");
    bool whole = target->files != NULL && stem != NULL;
    for (uint64_t i = 0; i < request->files && whole; i++) {
        char number[64] = "";
        if (!one) {
            snprintf(number, sizeof number, "-%05" PRIu64 "-of-%05" PRIu64, i + 1, request->files);
        }
        target->files[i] = one && p->verbatim
                               ? join(arena, request->target, strlen(request->target), "", "")
                               : join(arena, stem, strlen(stem), number, ending);
        whole = target->files[i] != NULL;
    }
    if (whole && !one) {
        target->index = join(arena, stem, strlen(stem), ending, ".index.json");
        whole = target->index != NULL;
    }
    return whole ? SFT_OK : SFT_NO_MEMORY;
}

sft_status sft_target_find(const sft_target_request *request, sft_arena *arena, sft_target *target,
                           sft_error *error) {
    *target = (sft_target){.count = 0};
    place p = {.verbatim = false};
    sft_status status = find_place(request, &p, arena, target, error);
    if (status != SFT_OK) {
        sft_error_file(error, request->target);
        return status;
    }
    status = name_files(request, &p, arena, target);
    return status == SFT_OK ? SFT_OK : no_memory(error);
}

static sft_status check_free(const char *path, sft_error *error) {
    sft_os_info info = {.size = 0};
    if (path == NULL || sft_os_look_path(path, &info) != 0) {
        return SFT_OK;
    }
    sft_fail(error, SFT_ALREADY_EXISTS, SFT_NO_BYTE, "the file exists and is not to be replaced");
    sft_error_file(error, path);
    return SFT_ALREADY_EXISTS;
}

sft_status sft_target_check_free(const sft_target *target, sft_error *error) {
    sft_status status = check_free(target->index, error);
    for (uint64_t i = 0; i < target->count && status == SFT_OK; i++) {
        status = check_free(target->files[i], error);
    }
    return status;
}
