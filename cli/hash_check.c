#include "hash_check.h"

#include "exits.h"
#include "hashing.h"
#include "inputs.h"
#include "json.h"
#include "manifest.h"
#include "message.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A file of the manifest, and the tensors that are listed below it. */
struct group {
    bool begun;
    struct manifest_line file;
    struct manifest_line *tensors;
    size_t count;
    size_t room;
};

struct check {
    const char *manifest;
    bool json;
    bool quiet;
    uint64_t files;
    int code;
};

static void group_clear(struct group *group) {
    for (size_t i = 0; i < group->count; i++) {
        text_free(&group->tensors[i].form);
        text_free(&group->tensors[i].name);
    }
    text_free(&group->file.form);
    text_free(&group->file.name);
    group->count = 0;
    group->begun = false;
}

static void group_add(struct group *group, struct manifest_line *line) {
    if (group->count == group->room) {
        group->room = group->room == 0 ? 16 : group->room * 2;
        group->tensors = memory_grow(group->tensors, group->room, sizeof *group->tensors);
    }
    group->tensors[group->count++] = *line;
    line->form = (struct text)TEXT_EMPTY;
    line->name = (struct text)TEXT_EMPTY;
}

/* `FILE: ` or `FILE: "TENSOR": `, and the verdict. */
static void print_verdict(const struct group *group, const struct text *tensor,
                          const char *verdict) {
    struct text line = TEXT_EMPTY;
    text_escape(&line, group->file.name.bytes, group->file.name.length, "");
    text_add_string(&line, ": ");
    if (tensor != NULL) {
        text_quote(&line, tensor->bytes, tensor->length);
        text_add_string(&line, ": ");
    }
    text_add_string(&line, verdict);
    text_add_string(&line, "\n");
    output_text(&line);
    text_free(&line);
}

/* NULL if the tensor is as its line says, else what differs. */
static const char *judge_tensor(const sft_file *file, const struct file_digests *digests,
                                const struct manifest_line *line) {
    const sft_tensor *tensor = sft_find(file, line->name.bytes, line->name.length);
    if (tensor == NULL) {
        return "MISSING";
    }
    struct text form = TEXT_EMPTY;
    manifest_add_form(&form, tensor);
    bool same =
        form.length == line->form.length && memcmp(form.bytes, line->form.bytes, form.length) == 0;
    text_free(&form);
    uint64_t index = sft_header_index(sft_file_header(file), tensor);
    if (!same || memcmp(digests->tensors[index], line->digest, DIGEST_SIZE) != 0) {
        return "FAILED";
    }
    return NULL;
}

static bool judge_tensors(const struct check *check, const struct group *group,
                          const sft_file *file, const struct file_digests *digests) {
    bool right = true;
    for (size_t i = 0; i < group->count; i++) {
        const struct text *name = &group->tensors[i].name;
        const char *wrong = judge_tensor(file, digests, &group->tensors[i]);
        if (wrong == NULL) {
            continue;
        }
        right = false;
        if (check->json) {
            json_begin_object();
            json_key("name");
            json_bytes(name->bytes, name->length);
            json_key("verdict");
            json_string(wrong);
            json_end_object();
        } else {
            print_verdict(group, name, wrong);
        }
    }
    return right;
}

/* Hashes the file and its tensors in one pass. *right tells whether all is as it should be. */
static sft_status verify_tensors(const struct check *check, const struct group *group, bool *right,
                                 sft_error *error) {
    sft_model *model;
    sft_status status = input_try(group->file.name.bytes, NULL, NULL, &model, error);
    if (status != SFT_OK) {
        return status;
    }
    if (input_is_sharded(model, group->file.name.bytes)) {
        input_error(error, SFT_NOT_A_FILE, group->file.name.bytes, "the manifest means a file");
        sft_model_close(model);
        return SFT_NOT_A_FILE;
    }
    const sft_file *file = sft_model_shard(model, 0);
    struct file_digests digests;
    progress_begin(input_bytes(model));
    status = hash_file(file, &digests, error);
    progress_end();
    if (status == SFT_OK) {
        *right = memcmp(digests.whole, group->file.digest, DIGEST_SIZE) == 0;
        *right = judge_tensors(check, group, file, &digests) && *right;
        free(digests.tensors);
    }
    sft_model_close(model);
    return status;
}

static sft_status verify_plain(const struct group *group, bool *right, sft_error *error) {
    unsigned char whole[DIGEST_SIZE];
    sft_status status = hash_plain(group->file.name.bytes, whole, error);
    *right = status == SFT_OK && memcmp(whole, group->file.digest, DIGEST_SIZE) == 0;
    return status;
}

static void verify(struct check *check, const struct group *group) {
    bool right = false;
    sft_error error;
    if (check->json) {
        json_begin_object();
        json_key("file");
        json_bytes(group->file.name.bytes, group->file.name.length);
        json_key("tensors");
        json_begin_array();
    }
    sft_status status = group->count > 0 ? verify_tensors(check, group, &right, &error)
                                         : verify_plain(group, &right, &error);
    if (status != SFT_OK) {
        input_error_file(&error, group->file.name.bytes);
        message_error(&error);
    }
    /* A file that is broken now is not the one that the manifest was made from. */
    bool unread = status != SFT_OK && !sft_status_is_defect(status);
    check->code = exit_worse(check->code, right ? EXIT_FINE : unread ? EXIT_TROUBLE : EXIT_NO);
    check->files++;
    if (check->json) {
        json_end_array();
        json_key("verdict");
        json_string(right ? "OK" : unread ? "UNREADABLE" : "FAILED");
        json_end_object();
    } else if (!right) {
        print_verdict(group, NULL, unread ? "FAILED to read" : "FAILED");
    } else if (!check->quiet) {
        print_verdict(group, NULL, "OK");
    }
}

static void take_line(struct check *check, struct group *group, struct manifest_line *line,
                      uint64_t number) {
    bool orphan = line->kind == MANIFEST_TENSOR && !group->begun;
    switch (orphan ? MANIFEST_WRONG : line->kind) {
    case MANIFEST_FILE:
        if (group->begun) {
            verify(check, group);
            group_clear(group);
        }
        group->file = *line;
        group->begun = true;
        line->form = (struct text)TEXT_EMPTY;
        line->name = (struct text)TEXT_EMPTY;
        break;
    case MANIFEST_TENSOR:
        group_add(group, line);
        break;
    case MANIFEST_WRONG:
        message_line(check->manifest, "INVALID_MANIFEST",
                     "line %llu is not one as sft hash writes it", (unsigned long long)number);
        check->code = exit_worse(check->code, EXIT_TROUBLE);
        break;
    case MANIFEST_COMMENT:
        break;
    }
}

static void read_manifest(struct check *check, FILE *stream) {
    struct group group;
    struct manifest_line line;
    memset(&group, 0, sizeof group);
    memset(&line, 0, sizeof line);
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    for (uint64_t number = 1; (length = getline(&text, &room, stream)) > 0; number++) {
        size_t end = (size_t)length - (text[length - 1] == '\n');
        manifest_parse(&line, text, end);
        take_line(check, &group, &line, number);
    }
    if (ferror(stream)) {
        message_line(check->manifest, "READ_FAILED", "%s", strerror(errno));
        check->code = exit_worse(check->code, EXIT_TROUBLE);
    }
    if (group.begun) {
        verify(check, &group);
    }
    group_clear(&group);
    free(group.tensors);
    text_free(&line.form);
    text_free(&line.name);
    free(text);
}

int hash_check(const char *path, bool json, bool quiet) {
    struct check check = {path, json, quiet, 0, EXIT_FINE};
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdin : fopen(path, "re");
    if (stream == NULL) {
        message_line(path, "OPEN_FAILED", "%s", strerror(errno));
        return EXIT_TROUBLE;
    }
    if (json) {
        json_begin_files();
    }
    read_manifest(&check, stream);
    if (json) {
        json_end_files();
    }
    if (check.files == 0 && check.code == EXIT_FINE) {
        message_line(path, "INVALID_MANIFEST", "it names no file");
        check.code = EXIT_TROUBLE;
    }
    if (!standard) {
        fclose(stream);
    }
    return check.code;
}
