(ns shop)
(defn divide [a b] (/ a b))
(defn -main [] (println (divide 1 0)))
(-main)
