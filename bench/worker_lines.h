// What a worker writes to its parent: one of these words and the rest of the line, or a record of the
// journal. The parent writes tasks (bench/task.h).
#pragma once

namespace rotor {

inline constexpr char kWorkerReady[] = "ready";  // the device is open
// Behind it, by a worker that knows slices: the gate asks workers of older builds for visits instead.
inline constexpr char kKnowsSlices[] = " slices";
inline constexpr char kWorkerPhase[] = "phase ";  // a part of the task begins
inline constexpr char kWorkerAlive[] = "alive ";  // it goes on, at this step
inline constexpr char kWorkerWarn[] = "warn ";
inline constexpr char kWorkerFailed[] = "failed ";  // status, code and message, with tabs between
inline constexpr char kWorkerDone[] = "done";

}  // namespace rotor
