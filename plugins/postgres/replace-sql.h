/*
 * What hangs on relations that give way, as the statements that make it again and those that take it away. Every
 * query has
 *
 *	$1  oid[]  relations that give way: tables, and views that the run brings itself
 *	$2  oid[]  beside them: the staged ones that come in their place, 0: the same again
 *	$3  oid[]  views that look at one of $1 and are made again, a view behind those that it looks at
 *
 * and gives rows of (again, away), either of which may be NULL. search_path is pg_catalog, so all names come whole.
 */
#ifndef POSTGRES_REPLACE_SQL_H
#define POSTGRES_REPLACE_SQL_H

/* Views, at any distance: $1 only. The farther ones last. */
#define REPLACE_LOOKING                                                                            \
	"WITH RECURSIVE looking (oid, depth) AS (SELECT unnest($1::oid[]), 0 UNION SELECT r.ev_class, "      \
	"l.depth + 1 FROM looking l JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = " \
	"l.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> "  \
	"l.oid JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')) "

#define REPLACE_FIND_VIEWS                                                                         \
	REPLACE_LOOKING "SELECT oid, relkind, oid = ANY ($1::oid[]) FROM (SELECT oid, max(depth) AS depth "   \
			"FROM looking GROUP BY oid) AS l JOIN pg_catalog.pg_class USING (oid) ORDER BY depth, oid"

/* Relations and what they become. */
#define REPLACE_PAIRS                                                                              \
	"WITH pairs AS (SELECT c.*, p.staged FROM unnest($1::oid[], $2::oid[]) AS p (old, staged) JOIN "     \
	"pg_class c ON c.oid = p.old) "
/* The same for the views of $3, which become themselves. */
#define REPLACE_SELVES                                                                             \
	"WITH pairs AS (SELECT c.*, 0::oid AS staged FROM unnest($3::oid[]) WITH ORDINALITY AS p (old, n) "   \
	"JOIN pg_catalog.pg_class c ON c.oid = p.old) "

/* ---- On a relation itself; each behind one of the two above ---- */

#define REPLACE_OWNERS                                                                             \
	"SELECT format('ALTER TABLE %s OWNER TO %I', oid::regclass, pg_get_userbyid(relowner)), NULL FROM "  \
	"pairs WHERE pg_get_userbyid(relowner) <> current_user ORDER BY oid"

/* What default privileges gave when it was made again, and what the owner was denied. */
#define REPLACE_REVOKES                                                                            \
	"SELECT format('REVOKE ALL ON %s FROM %s', c.oid::regclass, string_agg(DISTINCT CASE a.grantee WHEN "  \
	"0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ', ')), NULL FROM pairs c JOIN "   \
	"pg_default_acl d ON d.defaclrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) AND "     \
	"d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, c.relnamespace) CROSS JOIN LATERAL "             \
	"aclexplode(d.defaclacl) AS a WHERE a.grantee <> d.defaclrole GROUP BY c.oid "                       \
	"UNION ALL SELECT format('REVOKE ALL ON %s FROM %I', oid::regclass, pg_get_userbyid(relowner)), NULL " \
	"FROM pairs WHERE relacl IS NOT NULL AND EXISTS (SELECT privilege_type FROM aclexplode(acldefault('r', " \
	"relowner)) EXCEPT SELECT privilege_type FROM aclexplode(relacl) AS a WHERE a.grantee = relowner)"

#define REPLACE_GRANTS                                                                             \
	"SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass, CASE a.grantee WHEN 0 THEN " \
	"'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT " \
	"OPTION' ELSE '' END), NULL FROM pairs c CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE a.grantee <> " \
	"c.relowner OR EXISTS (SELECT privilege_type FROM aclexplode(acldefault('r', c.relowner)) EXCEPT SELECT " \
	"privilege_type FROM aclexplode(c.relacl) AS o WHERE o.grantee = c.relowner) "                         \
	"UNION ALL SELECT format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, t.attname, c.oid::regclass, "  \
	"CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN "      \
	"a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), NULL FROM pairs c JOIN pg_catalog.pg_attribute t ON "      \
	"t.attrelid = c.oid AND NOT t.attisdropped CROSS JOIN LATERAL aclexplode(t.attacl) AS a WHERE c.staged = 0 " \
	"OR EXISTS (SELECT FROM pg_catalog.pg_attribute s WHERE s.attrelid = c.staged AND s.attname = t.attname AND NOT "  \
	"s.attisdropped)"

/* A comment that the run brings stays. */
#define REPLACE_COMMENTS                                                                           \
	"SELECT format('COMMENT ON %s %s IS %L', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED " \
	"VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass, obj_description(oid, 'pg_class')), NULL " \
	"FROM pairs WHERE obj_description(oid, 'pg_class') IS NOT NULL AND (staged = 0 OR "                   \
	"obj_description(staged, 'pg_class') IS NULL) "                                                      \
	"UNION ALL SELECT format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, a.attname, "               \
	"col_description(c.oid, a.attnum)), NULL FROM pairs c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND "  \
	"a.attnum > 0 AND NOT a.attisdropped WHERE col_description(c.oid, a.attnum) IS NOT NULL AND (c.staged = 0 " \
	"OR EXISTS (SELECT FROM pg_catalog.pg_attribute s WHERE s.attrelid = c.staged AND s.attname = a.attname AND "     \
	"col_description(c.staged, s.attnum) IS NULL))"

#define REPLACE_LABELS                                                                             \
	"SELECT format('SECURITY LABEL FOR %I ON %s %s IS %L', l.provider, CASE WHEN l.objsubid > 0 THEN "     \
	"'COLUMN' WHEN c.relkind = 'v' THEN 'VIEW' WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' " \
	"END, c.oid::regclass || coalesce('.' || quote_ident(a.attname), ''), l.label), NULL FROM pairs c JOIN " \
	"pg_seclabel l ON l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = c.oid LEFT JOIN pg_catalog.pg_attribute a ON "  \
	"a.attrelid = c.oid AND a.attnum = l.objsubid AND l.objsubid > 0"

/* A trigger that the run brings itself stays. Its state, and what is said of it, follow it. */
#define REPLACE_TRIGGERS                                                                           \
	"SELECT s.again, NULL FROM pairs c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND "  \
	"t.tgparentid = 0 CROSS JOIN LATERAL (VALUES (1, pg_get_triggerdef(t.oid)), (2, CASE t.tgenabled WHEN " \
	"'O' THEN NULL ELSE format('ALTER TABLE %s %s TRIGGER %I', c.oid::regclass, CASE t.tgenabled WHEN 'D' "  \
	"THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) END), (3, 'COMMENT ON " \
	"TRIGGER ' || quote_ident(t.tgname) || ' ON ' || c.oid::regclass || ' IS ' || "                       \
	"quote_literal(obj_description(t.oid, 'pg_trigger')))) AS s (n, again) WHERE s.again IS NOT NULL AND NOT " \
	"EXISTS (SELECT FROM pg_catalog.pg_trigger b WHERE b.tgrelid = c.staged AND b.tgname = t.tgname) ORDER BY t.oid, s.n"

#define REPLACE_RULES                                                                              \
	"SELECT s.again, NULL FROM pairs c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN' " \
	"CROSS JOIN LATERAL (VALUES (1, pg_get_ruledef(r.oid)), (2, CASE r.ev_enabled WHEN 'O' THEN NULL ELSE "  \
	"format('ALTER TABLE %s %s RULE %I', c.oid::regclass, CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' " \
	"THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename) END)) AS s (n, again) WHERE s.again IS NOT " \
	"NULL ORDER BY r.oid, s.n"

/* ---- On tables ---- */

#define POLICY                                                                                     \
	"format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', polname, polrelid::regclass, CASE WHEN "     \
	"polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, CASE polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN " \
	"'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' ELSE 'DELETE' END, (SELECT string_agg(CASE r WHEN " \
	"0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ') FROM unnest(polroles) AS r), ' USING (' " \
	"|| pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')"

/* A policy that asks a view goes before the view does. */
#define REPLACE_POLICIES                                                                           \
	"SELECT format('ALTER TABLE %s %s', oid::regclass, s), NULL FROM pairs CROSS JOIN LATERAL (VALUES (CASE " \
	"WHEN relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END), (CASE WHEN relforcerowsecurity THEN 'FORCE ROW " \
	"LEVEL SECURITY' END)) AS f (s) WHERE s IS NOT NULL "                                                 \
	"UNION ALL SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_policy b WHERE b.polrelid = c.staged AND b.polname = " \
	"pg_policy.polname) THEN " POLICY " END, CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN "     \
	"pg_catalog.pg_class v ON v.oid = d.refobjid AND v.relkind IN ('v', 'm') WHERE d.classid = "                   \
	"'pg_catalog.pg_policy'::regclass AND d.objid = pg_policy.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND " \
	"d.refobjid = ANY ($1::oid[] || $3::oid[])) THEN format('DROP POLICY %I ON %s', polname, polrelid::regclass) END FROM " \
	"pairs c JOIN pg_catalog.pg_policy ON polrelid = c.oid "                                              \
	"UNION ALL SELECT format('COMMENT ON POLICY %I ON %s IS %L', polname, polrelid::regclass, "            \
	"obj_description(pg_policy.oid, 'pg_policy')), NULL FROM pairs c JOIN pg_catalog.pg_policy ON polrelid = c.oid WHERE " \
	"obj_description(pg_policy.oid, 'pg_policy') IS NOT NULL"

#define REPLACE_OPTIONS                                                                            \
	"SELECT format('ALTER TABLE %s SET (%s)', c.oid::regclass, (SELECT string_agg(format('%I = %L', "      \
	"option_name, option_value), ', ') FROM pg_options_to_table(c.reloptions))), NULL FROM pairs c WHERE "  \
	"c.relkind = 'r' AND c.reloptions IS NOT NULL AND (SELECT reloptions FROM pg_catalog.pg_class s WHERE s.oid = "    \
	"c.staged) IS NULL "                                                                                \
	"UNION ALL SELECT format('ALTER TABLE %s REPLICA IDENTITY %s', c.oid::regclass, CASE c.relreplident WHEN " \
	"'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || quote_ident(i.relname) END), NULL FROM " \
	"pairs c LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indisreplident LEFT JOIN pg_catalog.pg_class i ON i.oid = " \
	"x.indexrelid WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'd' AND (c.relreplident <> 'i' OR EXISTS " \
	"(SELECT FROM pg_catalog.pg_index y JOIN pg_catalog.pg_class j ON j.oid = y.indexrelid WHERE y.indrelid = c.staged AND j.relname " \
	"= i.relname))"

/* Who may use the counter of a column may use the new one. */
#define REPLACE_COUNTERS                                                                           \
	"SELECT format('DO %L', format('BEGIN IF pg_get_serial_sequence(%L, %L) IS NOT NULL THEN EXECUTE ''GRANT " \
	"%s ON SEQUENCE '' || pg_get_serial_sequence(%L, %L) || %L; END IF; END', c.oid::regclass::text, "      \
	"t.attname, a.privilege_type, c.oid::regclass::text, t.attname, ' TO ' || CASE a.grantee WHEN 0 THEN "   \
	"'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)), NULL FROM pairs c JOIN pg_catalog.pg_depend d ON "    \
	"d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_catalog.pg_class'::regclass AND "   \
	"d.deptype IN ('a', 'i') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S' JOIN pg_catalog.pg_attribute t ON "  \
	"t.attrelid = c.oid AND t.attnum = d.refobjsubid CROSS JOIN LATERAL aclexplode(q.relacl) AS a WHERE "    \
	"a.grantee <> q.relowner AND EXISTS (SELECT FROM pg_catalog.pg_attribute s WHERE s.attrelid = c.staged AND s.attname " \
	"= t.attname)"

#define REPLACE_STATISTICS                                                                         \
	"SELECT pg_get_statisticsobjdef(e.oid), NULL FROM pairs c JOIN pg_catalog.pg_statistic_ext e ON e.stxrelid = "     \
	"c.oid WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext b WHERE b.stxrelid = c.staged AND b.stxname = "    \
	"e.stxname)"

/* Publications that name the table; before 15 they had neither columns nor conditions. */
#define REPLACE_PUBLICATIONS_14                                                                    \
	"SELECT format('ALTER PUBLICATION %I ADD TABLE ONLY %s', p.pubname, c.oid::regclass), "                \
	"format('ALTER PUBLICATION %I DROP TABLE ONLY %s', p.pubname, c.oid::regclass) FROM pairs c JOIN "     \
	"pg_publication_rel r ON r.prrelid = c.oid JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
#define REPLACE_PUBLICATIONS                                                                       \
	"SELECT format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s%s', p.pubname, c.oid::regclass, ' (' || "      \
	"(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid " \
	"= c.oid AND a.attnum = ANY (r.prattrs::smallint[])) || ')', ' WHERE (' || pg_get_expr(r.prqual, "      \
	"r.prrelid) || ')'), format('ALTER PUBLICATION %I DROP TABLE ONLY %s', p.pubname, c.oid::regclass) FROM " \
	"pairs c JOIN pg_catalog.pg_publication_rel r ON r.prrelid = c.oid JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"

/* ---- Views that are made again ---- */

#define REPLACE_VIEWS                                                                              \
	"SELECT format('CREATE %s %s%s AS %s%s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' " \
	"END, c.oid::regclass, ' WITH (' || (SELECT string_agg(format('%I = %L', option_name, option_value), ', ') " \
	"FROM pg_options_to_table(c.reloptions)) || ')', rtrim(pg_get_viewdef(c.oid), '; '), CASE WHEN c.relkind = " \
	"'m' AND NOT c.relispopulated THEN ' WITH NO DATA' ELSE '' END), NULL FROM unnest($3::oid[]) WITH "      \
	"ORDINALITY AS v (oid, n) JOIN pg_catalog.pg_class c ON c.oid = v.oid ORDER BY v.n"

#define REPLACE_VIEW_PARTS                                                                         \
	"SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', c.oid::regclass, a.attname, "            \
	"pg_get_expr(d.adbin, d.adrelid)), NULL FROM pairs c JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid JOIN "       \
	"pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum WHERE c.relkind = 'v' "                    \
	"UNION ALL SELECT pg_get_indexdef(i.indexrelid), NULL FROM pairs c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid"

/* ---- Of other tables ---- */

#define REPLACE_REFERRING                                                                          \
	"SELECT s.again, s.away FROM pg_catalog.pg_constraint c CROSS JOIN LATERAL (VALUES (1, format('ALTER TABLE %s ADD "  \
	"CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)), format('ALTER TABLE %s " \
	"DROP CONSTRAINT %I', c.conrelid::regclass, c.conname)), (2, 'COMMENT ON CONSTRAINT ' || "              \
	"quote_ident(c.conname) || ' ON ' || c.conrelid::regclass || ' IS ' || "                               \
	"quote_literal(obj_description(c.oid, 'pg_constraint')), NULL)) AS s (n, again, away) WHERE c.contype = " \
	"'f' AND c.conparentid = 0 AND c.confrelid = ANY ($1::oid[]) AND c.conrelid <> ALL ($1::oid[]) AND "    \
	"s.again IS NOT NULL ORDER BY c.oid, s.n"

#define REPLACE_FOREIGN_POLICIES                                                                   \
	"SELECT s.again, s.away FROM pg_catalog.pg_policy CROSS JOIN LATERAL (VALUES (1, " POLICY ", format('DROP POLICY %I ON " \
	"%s', polname, polrelid::regclass)), (2, 'COMMENT ON POLICY ' || quote_ident(polname) || ' ON ' || "     \
	"polrelid::regclass || ' IS ' || quote_literal(obj_description(pg_policy.oid, 'pg_policy')), NULL)) AS s (n, again, " \
	"away) WHERE s.again IS NOT NULL AND "                                                              \
	"polrelid <> ALL ($1::oid[]) AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_policy'::regclass " \
	"AND d.objid = pg_policy.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ANY ($1::oid[] || " \
	"$3::oid[])) ORDER BY pg_policy.oid, s.n"

/* ---- What cannot be made again ---- */

/* $1: tables. Things that hang on them, on their types, on their counters or on views that look at them, and are none
 * of the above. */
#define REPLACE_OBSTACLES                                                                          \
	REPLACE_LOOKING                                                                            \
	", ours AS (SELECT DISTINCT oid FROM looking), "                                                    \
	"parts (classid, objid) AS (SELECT 'pg_catalog.pg_class'::regclass, oid FROM ours UNION SELECT "                 \
	"'pg_catalog.pg_type'::regclass, t.oid FROM ours JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_type t ON t.oid = c.reltype OR " \
	"t.typelem = c.reltype AND c.reltype <> 0 UNION SELECT 'pg_catalog.pg_class'::regclass, d.objid FROM ours o JOIN "  \
	"pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = o.oid AND d.classid = "            \
	"'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S') " \
	"SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM parts p JOIN pg_catalog.pg_depend d ON "  \
	"d.refclassid = p.classid AND d.refobjid = p.objid AND d.deptype = 'n' WHERE NOT (d.classid = "         \
	"'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT oid FROM ours)) AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND " \
	"d.objid IN (SELECT objid FROM parts WHERE classid = 'pg_catalog.pg_type'::regclass)) AND d.classid NOT IN ("       \
	"'pg_catalog.pg_policy'::regclass, 'pg_publication_rel'::regclass, 'pg_catalog.pg_statistic_ext'::regclass) AND NOT "         \
	"(d.classid = 'pg_catalog.pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_rewrite r "                           \
	"WHERE r.oid = d.objid AND r.ev_class IN (SELECT oid FROM ours))) AND NOT (d.classid = "                \
	"'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.oid = d.objid AND (c.contype = " \
	"'f' OR c.conrelid IN (SELECT oid FROM ours)))) AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass AND EXISTS " \
	"(SELECT FROM pg_catalog.pg_trigger t WHERE t.oid = d.objid AND t.tgrelid IN (SELECT oid FROM ours))) AND NOT "    \
	"(d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_attrdef a WHERE a.oid = d.objid AND "   \
	"a.adrelid IN (SELECT oid FROM ours))) "                                                             \
	"UNION SELECT format('%s %s, of which it is a part', CASE WHEN c.relispartition THEN 'partitioned table' " \
	"ELSE 'table' END, i.inhparent::regclass) FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE " \
	"i.inhrelid = ANY ($1::oid[]) ORDER BY 1 LIMIT 20"

/* $1: one table. What its partitions have of their own goes with them. Grants that every new table gets by itself are none. */
#define REPLACE_OF_PARTITIONS                                                                      \
	"WITH parts AS (SELECT c.* FROM pg_partition_tree($1::oid) AS t JOIN pg_catalog.pg_class c ON c.oid = t.relid WHERE "  \
	"t.level > 0) SELECT format('%s of partition %s', f.what, f.oid::regclass) FROM (SELECT oid, 'the grants' FROM parts " \
	"WHERE relacl IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_default_acl WHERE defaclobjtype = 'r') "         \
	"UNION ALL SELECT oid, 'row-level security' FROM parts WHERE relrowsecurity "                        \
	"UNION ALL SELECT oid, 'the comment' FROM parts WHERE obj_description(oid, 'pg_class') IS NOT NULL "   \
	"UNION ALL SELECT c.oid, format('policy %I', p.polname) FROM parts c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid " \
	"UNION ALL SELECT c.oid, format('trigger %I', t.tgname) FROM parts c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid " \
	"AND NOT t.tgisinternal AND t.tgparentid = 0 "                                                         \
	"UNION ALL SELECT c.oid, format('index %I', i.relname) FROM parts c JOIN pg_catalog.pg_index x ON x.indrelid = c.oid " \
	"JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE NOT i.relispartition "                       \
	"UNION ALL SELECT c.oid, format('view %s', r.ev_class::regclass) FROM parts c JOIN pg_catalog.pg_depend d ON d.refclassid = " \
	"'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass JOIN "       \
	"pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> c.oid) AS f (oid, what) GROUP BY 1 ORDER BY 1 LIMIT 20"

/* $1: one table, $2: the names of the new table's columns. Things that use a column which there will not be. */
#define REPLACE_LOSSES                                                                             \
	"SELECT DISTINCT format('%s, which uses column %I', pg_describe_object(d.classid, d.objid, d.objsubid), " \
	"a.attname) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid " \
	"WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ANY ($1::oid[]) AND d.refobjsubid > 0 AND "  \
	"a.attname <> ALL ($2::text[]) AND (d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, "     \
	"'pg_catalog.pg_trigger'::regclass, 'pg_publication_rel'::regclass, 'pg_catalog.pg_statistic_ext'::regclass) OR (d.classid = " \
	"'pg_catalog.pg_constraint'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.oid = d.objid AND c.contype = " \
	"'f' AND c.conrelid <> d.refobjid))) ORDER BY 1 LIMIT 20"

#endif
