-module(process).
-export([main/0, work/1]).
work(N) -> 10 div N.
main() -> spawn(?MODULE, work, [0]), timer:sleep(200), halt(0).
