#!/bin/sh
# The CI job that halts a rollout: in a clone of the agents' repository, it commits `halt` to the manifest and pushes.
#
#   REASON   why; the summary of the alert
#   BRANCH   the branch that the machines follow; main otherwise
#
# Git signs the commit if it is configured to: with `[sources.NAME.signed]` on the machines, give the job a key of its own.
set -eu

branch=${BRANCH:-main}
# The alert's words get into a commit's message, where a trailer or "This reverts commit ..." would have an effect.
reason=$(printf '%s' "${REASON:-}" | LC_ALL=C tr -s '[:space:]' ' ' | LC_ALL=C sed 's/reverts/undoes/g')
case $reason in
*[![:space:]]*) ;;
*) reason="an alert without a summary" ;; # it halts all the same
esac
export GIT_AUTHOR_NAME="${GIT_AUTHOR_NAME:-agentsync halt}" GIT_AUTHOR_EMAIL="${GIT_AUTHOR_EMAIL:-halt@localhost}"
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"

for attempt in 1 2 3; do # somebody may push in between
    git fetch --quiet origin "$branch"
    git checkout --quiet --force -B "$branch" FETCH_HEAD
    # A halt that is there keeps its reason: a person may have written it.
    if agentsync rollout --format json | grep -E -q '"reason": "(halted|held at)"'; then
        echo "halted already"
        exit 0
    fi
    agentsync rollout halt --reason "$reason"
    if git push --quiet origin "HEAD:refs/heads/$branch"; then
        exit 0
    fi
    echo "attempt $attempt to push failed" >&2
done
exit 1
