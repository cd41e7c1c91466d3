#ifndef TASKFLOW_ROLE_API_KEYED_H
#define TASKFLOW_ROLE_API_KEYED_H

/* What POST /tasks and POST /tasks/batch do with the keys of a submit. */
#include "call.h"
#include "task/keyed.h"

/* The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), if
 * there is one: a string in double quotes as RFC 8941 has it, or the same
 * without them. ERR_INVALID if it is neither. The key is in the arena. Pure. */
enum err keyed_parse(
    const char *header, struct arena *, const char **ret, struct fault *);

/* The request's key, with the fingerprint of what it asks for. */
enum err keyed_request(
    struct api_call *, const char *what, struct task_request *ret);
/* Does one of the drafts, or the request, have a key? */
bool keyed_any(
    const struct task_request *, const struct task_draft *, size_t n);

/* What became of a draft: OK, or why it is not accepted. ERR_KEY_HELD is about
 * the draft alone, the others are about the whole request. The draft gets the
 * id and what else it was accepted with, if that was by an earlier request. */
enum err keyed_outcome(const struct task_keyed *, struct arena *,
    struct task_draft *, struct task_accepted *ret, struct fault *);
/* The insert did not succeed: was it another request that held it up? Then
 * ERR_KEY_RUNNING, else err as it is. insert may be NULL. */
enum err keyed_failed(const struct pg_call *insert, enum err);
void keyed_note_replay(struct api_call *);

#endif
