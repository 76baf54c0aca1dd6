#include "commands.h"
#include "hash_check.h"
#include "hashing.h"
#include "inputs.h"
#include "json.h"
#include "manifest.h"
#include "message.h"
#include "output.h"
#include "progress.h"

#include <stdlib.h>

/* All digests of a FILE: they are printed once all are known, or not at all. */
struct hashes {
    const char *path;
    const sft_model *model;
    struct file_digests *shards;
    uint64_t shard_count;
    const char *index; /* or NULL */
    unsigned char index_digest[DIGEST_SIZE];
};

static sft_status hash_all(struct hashes *hashes, sft_error *error) {
    sft_status status = SFT_OK;
    uint64_t shards = sft_model_shards(hashes->model);
    hashes->shards = memory_take((size_t)shards, sizeof *hashes->shards);
    for (uint64_t i = 0; i < shards && status == SFT_OK; i++) {
        status = hash_file(sft_model_shard(hashes->model, i), &hashes->shards[i], error);
        hashes->shard_count = i + 1;
        if (status != SFT_OK) {
            input_error_file(error, sft_model_shard_path(hashes->model, i));
        }
    }
    hashes->index = sft_model_index_path(hashes->model);
    if (status == SFT_OK && hashes->index != NULL) {
        status = hash_plain(hashes->index, hashes->index_digest, error);
    }
    return status;
}

static void print_manifest(const struct hashes *hashes) {
    struct text line = TEXT_EMPTY;
    if (hashes->index != NULL) {
        manifest_add_file(&line, hashes->index_digest, hashes->index);
        output_text(&line);
    }
    for (uint64_t i = 0; i < hashes->shard_count; i++) {
        const struct file_digests *digests = &hashes->shards[i];
        const sft_file *file = sft_model_shard(hashes->model, i);
        text_clear(&line);
        manifest_add_file(&line, digests->whole, sft_model_shard_path(hashes->model, i));
        output_text(&line);
        for (uint64_t tensor = 0; tensor < sft_count(file); tensor++) {
            text_clear(&line);
            manifest_add_tensor(&line, digests->tensors[tensor], sft_at(file, tensor));
            output_text(&line);
        }
    }
    text_free(&line);
}

static void print_digest(const unsigned char digest[DIGEST_SIZE]) {
    struct text hex = TEXT_EMPTY;
    digest_text(&hex, digest);
    json_key("sha256");
    json_bytes(hex.bytes, hex.length);
    text_free(&hex);
}

static void print_json_file(const char *path, const unsigned char digest[DIGEST_SIZE]) {
    json_begin_object();
    json_key("file");
    json_string(path);
    print_digest(digest);
    json_end_object();
}

static void print_json_tensors(const struct hashes *hashes, bool sharded) {
    json_key("tensors");
    json_begin_array();
    for (uint64_t i = 0; i < hashes->shard_count; i++) {
        const sft_file *file = sft_model_shard(hashes->model, i);
        for (uint64_t number = 0; number < sft_count(file); number++) {
            const sft_tensor *tensor = sft_at(file, number);
            json_begin_object();
            json_key("name");
            json_bytes(tensor->name, tensor->name_length);
            input_json_tensor(tensor);
            print_digest(hashes->shards[i].tensors[number]);
            if (sharded) {
                json_key("file");
                json_string(sft_model_shard_path(hashes->model, i));
            }
            json_end_object();
        }
    }
    json_end_array();
}

static void print_json(const struct hashes *hashes) {
    bool sharded = input_is_sharded(hashes->model, hashes->path);
    json_begin_object();
    json_key("file");
    json_string(hashes->path);
    if (!sharded) {
        print_digest(hashes->shards[0].whole);
    } else {
        json_key("files");
        json_begin_array();
        if (hashes->index != NULL) {
            print_json_file(hashes->index, hashes->index_digest);
        }
        for (uint64_t i = 0; i < hashes->shard_count; i++) {
            print_json_file(sft_model_shard_path(hashes->model, i), hashes->shards[i].whole);
        }
        json_end_array();
    }
    print_json_tensors(hashes, sharded);
    json_end_object();
}

static int hash_one(const struct args *args, const char *path) {
    sft_model *model;
    int code = input_open(path, &model);
    if (code != EXIT_FINE) {
        return code;
    }
    struct hashes hashes = {path, model, NULL, 0, NULL, {0}};
    sft_error error;
    progress_begin(input_bytes(model));
    sft_status status = hash_all(&hashes, &error);
    progress_end();
    if (status != SFT_OK) {
        message_error(&error);
        code = EXIT_TROUBLE;
    } else if (args->seen[OPTION_JSON]) {
        print_json(&hashes);
    } else {
        print_manifest(&hashes);
    }
    for (uint64_t i = 0; i < hashes.shard_count; i++) {
        free(hashes.shards[i].tensors);
    }
    free(hashes.shards);
    sft_model_close(model);
    return code;
}

static int run_hash(const struct args *args) {
    bool check = args->seen[OPTION_CHECK];
    bool json = args->seen[OPTION_JSON];
    int code =
        check ? args_expect(args, 1, 1, "one MANIFEST") : args_expect(args, 1, SIZE_MAX, "a FILE");
    if (code != EXIT_FINE) {
        return code;
    }
    if (args->seen[OPTION_QUIET] && !check) {
        return message_usage("hash: --quiet goes with --check");
    }
    if (check) {
        return hash_check(args->operands[0], json, args->seen[OPTION_QUIET]);
    }
    if (json) {
        json_begin_files();
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        code = exit_worse(code, hash_one(args, args->operands[i]));
    }
    if (json) {
        json_end_files();
    }
    return code;
}

static const struct option_spec options[] = {{"check", OPTION_CHECK, 'c', false},
                                             {"json", OPTION_JSON, '\0', false},
                                             {"quiet", OPTION_QUIET, 'q', false},
                                             {NULL, 0, '\0', false}};

const struct command command_hash = {
    .name = "hash",
    .summary = "a digest of each file and each tensor",
    .help = "Usage: sft hash [--json] FILE...\n"
            "       sft hash --check [--json] [-q] MANIFEST\n"
            "\n"
            "Prints SHA-256 digests: a line for each file, as sha256sum writes it, and a\n"
            "line that begins with # for each tensor's bytes, with its dtype, shape and name.\n"
            "For a folder or an index: each shard and the index.\n"
            "\n"
            "  -c, --check  verify all files and tensors that MANIFEST names (- for standard\n"
            "               input); sha256sum -c accepts the same file and verifies the files\n"
            "  --json       one JSON document\n"
            "  -q, --quiet  with --check: say nothing about files that are right\n"
            "\n"
            "Exit status of --check: 0 all is as it says, 1 something differs, 3 a file or\n"
            "the manifest could not be read.\n"
            "\n"
            "Example: sft hash model.safetensors > model.sha256\n",
    .options = options,
    .run = run_hash,
};
