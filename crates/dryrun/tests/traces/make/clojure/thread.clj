(defn work [x] (throw (ex-info "broken" {:x x})))
(doto (Thread. (fn [] (work 1))) (.start) (.join))
(System/exit 0)
