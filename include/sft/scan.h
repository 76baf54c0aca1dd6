/*
 * What a checkpoint from a stranger would do when it is loaded, found out without doing it.
 *
 * A pickle is a program. Its instructions are read here as data, against a list of names that are
 * known to be harmless; nothing is imported, called or executed. What is not on the list is never
 * called clean. Archives are opened and every file in them is walked, whatever its name; so is
 * every pickle behind the first, and every text that is handed to a loader. docs/pickle.md explains
 * what is allowed, and why.
 */
#ifndef SFT_SCAN_H
#define SFT_SCAN_H

#include <sft/base.h>
#include <sft/reader.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What can be said of a file. The greater value wins where several apply. */
typedef enum sft_verdict {
    SFT_VERDICT_CLEAN = 0,     /* loading it does nothing but build tensors and plain values */
    SFT_VERDICT_MALFORMED = 1, /* cannot be read, is of no supported kind, or is beyond a limit */
    SFT_VERDICT_UNKNOWN = 2,   /* names, calls or oddities that nobody here can vouch for */
    SFT_VERDICT_DANGEROUS = 3  /* runs code, imports, opens, fetches, or loads another pickle */
} sft_verdict;

/* sft_verdict_name() - "clean", "malformed", "unknown", "dangerous"; NULL for other values. Static.
 */
SFT_API const char *sft_verdict_name(sft_verdict verdict);

/* How bad one finding is. All but warnings decide the verdict. */
typedef enum sft_severity {
    SFT_SEVERITY_WARNING = 0, /* odd, but harmless: a checksum that was not written, say */
    SFT_SEVERITY_MALFORMED = 1,
    SFT_SEVERITY_UNKNOWN = 2,
    SFT_SEVERITY_DANGEROUS = 3
} sft_severity;

/* sft_severity_name() - "warning", "malformed", "unknown", "dangerous"; NULL for others. Static. */
SFT_API const char *sft_severity_name(sft_severity severity);

/*
 * One thing that was found. All texts are escaped, fit for a terminal, end with NUL, and live as
 * long as the scan; fields that do not apply are NULL, `byte` is SFT_NO_BYTE.
 *
 * `code` is for programs, and is never renamed:
 *   DANGEROUS_GLOBAL, DANGEROUS_CALL     a dangerous name is looked up, called
 *   UNKNOWN_GLOBAL, UNKNOWN_CALL         the same for a name nobody can vouch for
 *   DOTTED_NAME                          a name with a dot in it, which reaches through objects
 *   COMPUTED_NAME                        a name that is the result of a call
 *   STATE_SET, ITEM_SET, ITEM_APPENDED   done to something that is not known to bear it
 *   ARGUMENT                             an allowed call with an argument that is not allowed
 *   EXTENSION_CODE                       a name out of the registry of copyreg
 *   PERSISTENT_ID, BUFFER                asked of a loader that is not known to answer
 *   FRAME_STRADDLED, STACK_LEFTOVER      the stream is not as a pickler writes it
 *   NESTED_PICKLE                        a pickle inside a text, a storage or a member
 *   CONTAINS_CODE                        TorchScript, or another program of PyTorch
 *   MISSING_STORAGE, STORAGE_SIZE        a tensor's bytes are not in the archive, or are too few or
 *                                        too many
 *   ZIP_NAME_MISMATCH, ZIP_FLAGS, ZIP_DUPLICATE, ZIP_UNSAFE_NAME, ZIP_COMMENT, ZIP_PREFIX,
 *   ZIP_TRAILING_BYTES, ZIP_OVERLAP, ZIP_ENCRYPTED, ZIP_CHECKSUM (a warning), ZIP_RECORDS
 *   TRAILING_BYTES                       bytes behind the end of the last pickle
 *   UNSUPPORTED, TRUNCATED, BROKEN, LIMIT, and the names of sft_status for safetensors files
 */
typedef struct sft_finding {
    sft_severity severity;
    const char *code;
    const char *where;  /* for people: "archive/data.pkl, byte 33, REDUCE" */
    const char *detail; /* one sentence for people, without a full stop */
    const char *member; /* the file in the archive; of nested ones with "!" between */
    uint64_t byte;      /* in that member, as it is when it is unpacked */
    const char *opcode; /* "REDUCE" */
    const char *global; /* "os.system" */
    const char *call;   /* "os.system('id')" */
} sft_finding;

/* A name that the caller vouches for: an exact pair. Both end with NUL. */
typedef struct sft_allowed {
    const char *module;
    const char *name;
} sft_allowed;

/* Bounds on one scan; 0 stands for the default. What is beyond gives MALFORMED with code LIMIT. */
typedef struct sft_scan_limits {
    uint64_t memory;  /* bytes that one pickle or directory may take: 192 MiB */
    uint64_t entries; /* members of an archive: 1,000,000 */
    uint64_t
        inflated; /* bytes unpacked from one compressed member: what it declares, at most 64 GiB */
    uint64_t findings; /* kept, the worst first to stay: 1,000; all are counted */
    uint32_t nesting;  /* archives and pickles inside each other: 4 */
} sft_scan_limits;

typedef struct sft_scan_options {
    size_t struct_size;         /* sizeof(sft_scan_options) */
    const sft_allowed *allowed; /* become inert records; dangerous ones stay dangerous */
    uint64_t allowed_count;
    sft_scan_limits limits;
    const sft_allocator *allocator; /* NULL: malloc */
    /* Called now and then with bytes looked at and bytes in all; false ends with SFT_CANCELLED. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
} sft_scan_options;

#define SFT_SCAN_OPTIONS                                                                           \
    { sizeof(sft_scan_options), NULL, 0, {0, 0, 0, 0, 0}, NULL, NULL, NULL }

/* The result of a scan. It never changes: any number of threads may look at it at once. */
typedef struct sft_scan_result sft_scan_result;

/*
 * sft_scan() - scans one file.
 *
 * @path: its path, in the system's encoding; its name's extension is not looked at
 * @options: NULL for defaults
 * @result: receives the result, which the caller frees with sft_scan_free()
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK whatever the verdict is. Else the file could not be looked at: SFT_NO_MEMORY,
 * SFT_INVALID_ARGUMENT, SFT_OPEN_FAILED, SFT_NOT_A_FILE, SFT_READ_FAILED, SFT_FILE_SHRANK or
 * SFT_CANCELLED. SFT_UNSUPPORTED in a build without readers of checkpoints. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_scan(const char *path, const sft_scan_options *options,
                                         sft_scan_result **result, sft_error *error);

/* sft_scan_memory() - the same for a file that is in memory, which must stay unchanged meanwhile.
 */
SFT_API SFT_MUST_USE sft_status sft_scan_memory(const void *bytes, uint64_t size,
                                                const sft_scan_options *options,
                                                sft_scan_result **result, sft_error *error);

/* sft_scan_source() - the same for a file that the caller's functions give; `map` is not used, and
 * `close` is called before it returns, except after SFT_INVALID_ARGUMENT. */
SFT_API SFT_MUST_USE sft_status sft_scan_source(const sft_source *source,
                                                const sft_scan_options *options,
                                                sft_scan_result **result, sft_error *error);

/* sft_scan_free() - NULL is fine. */
SFT_API void sft_scan_free(sft_scan_result *result);

SFT_API sft_verdict sft_scan_verdict(const sft_scan_result *result);

/*
 * sft_scan_format() - what the file is: "safetensors", "torch_zip", "torchscript", "torch_legacy",
 * "torch_tar", "pickle", "joblib", "npy", "npz", "zip", "tar", "gzip", "zlib", "7z", … or
 * "unrecognized" for a file of no known kind that does not begin as a pickle. Static.
 */
SFT_API const char *sft_scan_format(const sft_scan_result *result);

/* sft_scan_recognized() - false for such a file: a folder's walk counts it as skipped. */
SFT_API bool sft_scan_recognized(const sft_scan_result *result);

/* sft_scan_count() - how many findings are kept; sft_scan_found(): how many there were. */
SFT_API uint64_t sft_scan_count(const sft_scan_result *result);
SFT_API uint64_t sft_scan_found(const sft_scan_result *result);

/* sft_scan_at() - a finding, in the order in which loading would come to it; NULL if index is too
 * large. */
SFT_API const sft_finding *sft_scan_at(const sft_scan_result *result, uint64_t index);

/*
 * sft_scan_tree() - scans every regular file of a folder and the folders in it, in the order of
 * their names. Symbolic links to folders are not followed, those to files are.
 *
 * @path: a folder, or a file
 * @options: NULL for defaults; progress counts the bytes of the whole tree
 * @each: called for each file: its path, its result (which lives for the call only) or, where it
 *     could not be looked at, NULL and an error. False ends the walk with SFT_CANCELLED.
 * @error: NULL, or receives what is wrong with the folder at `path` itself
 *
 * Returns SFT_OK if the folder could be walked, else as sft_scan(). Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_scan_tree(const char *path, const sft_scan_options *options,
                                              bool (*each)(void *context, const char *path,
                                                           const sft_scan_result *result,
                                                           const sft_error *error),
                                              void *context, sft_error *error);

#ifdef __cplusplus
}
#endif

#endif /* SFT_SCAN_H */
