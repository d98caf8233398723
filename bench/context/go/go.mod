module throughline/bench

go 1.19
